//! What an operator writes down, and is told of it.

use std::process::Command;

use super::*;

/// What `check` says of a configuration that must not start.
fn refused(setup: &Setup, config: &str) -> String {
    std::fs::write(setup.folder.join("bad.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(["check", "--config", "bad.toml"])
        .current_dir(&setup.folder)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success(), "{text}");
    text
}

/// The line at which a text stands first in a configuration.
fn line(config: &str, text: &str) -> usize {
    config.lines().position(|it| it.contains(text)).unwrap() + 1
}

#[test]
fn what_would_let_the_wrong_ones_in_or_nobody_is_refused_with_its_line_and_the_remedy() {
    let authority = Authority::new("clients");
    let setup = configured(
        &authority,
        "crl = [\"clients.crl\"]\nnames = [\"a.example.com\"]",
    );
    let write = |name: &str, text: &str| std::fs::write(setup.folder.join(name), text).unwrap();
    write("clients.crl", &authority.revoke(&[], 600));
    write("old.crl", &authority.revoke(&[], 0));
    let leaf = authority.certify("a.example.com", |_| {});
    let old = Authority::made("old", |it| it.not_after = date_time_ymd(2024, 1, 1));
    write("old-ca.pem", &old.pem());
    write("leaf.pem", &leaf.pem());
    write("open-ca.pem", &authority.pem());
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(setup.folder.join("open-ca.pem"), open).unwrap();
    let good = setup.config();
    for (from, to, says) in [
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"missing.pem\"",
            "Name a PEM file that the server's user can read.",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"key.pem\"",
            "holds no certificate",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"leaf.pem\"",
            "is no certificate authority",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"old-ca.pem\"",
            "expired at",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"open-ca.pem\"",
            "Run `chmod o-w` on it",
        ),
        ("ca = \"clients-ca.pem\"", "", "`ca` is missing"),
        (
            "crl = [\"clients.crl\"]",
            "crl = [\"old.crl\"]",
            "Fetch the authority's newest list.",
        ),
        (
            "crl = [\"clients.crl\"]",
            "crl = [\"cert.pem\"]",
            "it holds no revocation list",
        ),
        (
            "names = [\"a.example.com\"]",
            "names = []",
            "or drop `names`",
        ),
        (
            "names = [\"a.example.com\"]",
            "names = [\"\"]",
            "or drop `names`",
        ),
        (
            "names = [\"a.example.com\"]",
            "name = [\"a.example.com\"]",
            "Did you mean `names`?",
        ),
    ] {
        let config = good.replacen(from, to, 1);
        let text = refused(&setup, &config);
        let at = match to {
            "" => line(&config, "[server.client_certificates]"),
            _ => line(&config, to),
        };
        assert!(text.contains(&format!("bad.toml:{at}:")), "{to}: {text}");
        assert!(text.contains(says), "{to}: {text}");
    }
    for (from, to, says) in [
        (
            "tls = { cert = \"cert.pem\", key = \"key.pem\" }",
            "hosts = [\"localhost\"]\ntls = { terminated_by = [\"10.0.1.0/24\"] }",
            "let the balancer pass TLS through",
        ),
        (
            "[server.client_certificates]",
            "[server.unknown]",
            "Add [server.client_certificates]",
        ),
    ] {
        let text = refused(&setup, &good.replacen(from, to, 1));
        assert!(text.contains(says), "{to}: {text}");
    }
    let same = good.replace("127.0.0.1:0", "127.0.0.1:4711");
    let text = refused(&setup, &same);
    for other in ["server.listen", "admin.listen"] {
        let says = format!("server.client_certificates.listen is the address of {other}");
        assert!(text.contains(&says), "{text}");
    }
}

#[test]
fn check_says_who_comes_by_the_second_listener_and_what_for() {
    let authority = Authority::new("clients");
    let setup = configured(
        &authority,
        "crl = [\"clients.crl\"]\nnames = [\"a.example.com\"]",
    );
    let list = authority.revoke(&[], 600);
    std::fs::write(setup.folder.join("clients.crl"), list).unwrap();
    std::fs::write(setup.folder.join("admin.token"), "x".repeat(32)).unwrap();
    let only_ours = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(setup.folder.join("admin.token"), only_ours).unwrap();
    std::fs::write(setup.folder.join("wardwire.toml"), setup.config()).unwrap();
    let claims = format!(
        "{{\"sub\":\"alice\",\"cnf\":{{\"x5t#S256\":\"{}\"}}}}",
        URL_SAFE_NO_PAD.encode([7; 32])
    );
    let said = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
            .args(["check", "--config", "wardwire.toml"])
            .args(more)
            .current_dir(&setup.folder)
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for (text, lines) in [
        (
            said(&[]),
            &[
                "listens on 127.0.0.1:0 too, for clients with a certificate of clients-ca.pem",
                "route /machines: channels, whoever is signed in, with a client certificate",
            ][..],
        ),
        (
            said(&["--explain"]),
            &[
                "only for clients that show a certificate which clients-ca.pem has issued (wardwire.toml:",
                "but for what clients.crl revokes (wardwire.toml:",
                "and for one of a.example.com (wardwire.toml:",
                "by the listener for client certificates; by another it is 403 (wardwire.toml:",
            ],
        ),
        (
            said(&["--explain", "--claims", &claims]),
            &[
                "Only over a connection with the client certificate whose SHA-256 is 0707",
                "/machines: may enter, with a client certificate",
            ],
        ),
    ] {
        for line in lines {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
