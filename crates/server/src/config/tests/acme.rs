//! `[server.acme]`: nothing is asked of an authority that it would refuse, or that nobody agreed to.

use super::*;

const TLS: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";

/// [`SAFE`] with certificates from an authority instead of a file's.
fn acme(lines: &str) -> String {
    let table = format!("[server.acme]\n{lines}\n[admin]");
    with(TLS, "").replacen("[admin]", &table, 1)
}

const AGREED: &str = "terms_of_service_agreed = true\nhosts = [\"live.example.com\"]";

#[test]
fn hosts_and_an_agreement_are_all_it_takes() {
    let folder = Folder::new();
    let config = folder.judge(&acme(AGREED)).ok().unwrap();
    assert_eq!(config.hosts().collect::<Vec<_>>(), ["live.example.com"]);
    let Security::Acme(settings) = &config.security else {
        panic!("another certificate");
    };
    assert!(settings.directory.contains("letsencrypt.org"));
    assert_eq!(settings.storage, folder.0.join("acme"));
    assert!(!folder.0.join("acme").exists(), "judging makes nothing");
    let text = acme(&AGREED.replace("live.example", "Live.EXAMPLE"));
    let config = folder.judge(&text).ok().unwrap();
    assert_eq!(config.hosts().collect::<Vec<_>>(), ["live.example.com"]);
}

#[test]
fn nobody_agrees_by_saying_nothing() {
    for lines in [
        "hosts = [\"live.example.com\"]",
        "hosts = [\"live.example.com\"]\nterms_of_service_agreed = false",
    ] {
        let problems = Folder::new().problems(&acme(lines));
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains("terms of service"), "{problems:#?}");
        assert!(
            problems[0].contains("terms_of_service_agreed = true"),
            "{problems:#?}"
        );
    }
}

#[test]
fn only_names_are_certified() {
    for (host, says) in [
        ("192.0.2.1", "is an address"),
        ("2001:db8::1", "is an address"),
        ("[2001:db8::1]", "is an address"),
        ("*.example.com", "is no single host"),
        ("*", "is no single host"),
        ("", "is not the name of a host"),
        ("live.example.com.", "is not the name of a host"),
        ("live.example.com:443", "is not the name of a host"),
        ("https://live.example.com", "is not the name of a host"),
        ("-live.example.com", "is not the name of a host"),
        ("live..example.com", "is not the name of a host"),
        ("lïve.example.com", "is not the name of a host"),
    ] {
        let lines = format!("terms_of_service_agreed = true\nhosts = [{host:?}]");
        one(&Folder::new(), &acme(&lines), "hosts = ", says);
    }
    let twice = "terms_of_service_agreed = true\nhosts = [\"a.test\", \"A.test\"]";
    one(&Folder::new(), &acme(twice), "hosts = ", "stands twice");
    let none = "terms_of_service_agreed = true\nhosts = []";
    let problems = Folder::new().problems(&acme(none));
    assert!(
        problems[0].contains("a certificate for no host"),
        "{problems:#?}"
    );
}

#[test]
fn a_certificate_is_for_hosts_that_the_server_answers_to() {
    let text = acme(AGREED).replace(
        "[server.acme]",
        "hosts = [\"ws.example.com\"]\n[server.acme]",
    );
    one(
        &Folder::new(),
        &text,
        "hosts = [\"live",
        "which server.hosts does not list",
    );
    let text = acme(AGREED).replace(
        "[server.acme]",
        "hosts = [\"*.example.com\"]\n[server.acme]",
    );
    assert_eq!(Folder::new().problems(&text), [""; 0]);
}

#[test]
fn there_is_one_certificate() {
    let text = acme(AGREED).replace("[server.acme]", &format!("{TLS}[server.acme]"));
    one(&Folder::new(), &text, "[server.acme]", "`tls` and `acme`");
    let text = with(TLS, "");
    one(
        &Folder::new(),
        &text,
        "[server]",
        "nothing is ever served without TLS",
    );
}

#[test]
fn each_challenge_has_the_port_that_it_needs() {
    let lines = format!("{AGREED}\nchallenge = \"http-01\"");
    one(
        &Folder::new(),
        &acme(&lines),
        "challenge =",
        "which is missing",
    );
    let text = acme(&lines).replace("[server.acme]", "redirect = \"127.0.0.1:0\"\n[server.acme]");
    assert_eq!(Folder::new().problems(&text), [""; 0]);
    let lines = format!("{AGREED}\nchallenge = \"dns-01\"");
    assert_eq!(Folder::new().problems(&acme(&lines)).len(), 1);
}

#[test]
fn a_directory_is_asked_by_https_alone() {
    for directory in ["http://ca.test/dir", "ca.test", "https://user@ca.test/", ""] {
        let lines = format!("{AGREED}\ndirectory = {directory:?}");
        one(
            &Folder::new(),
            &acme(&lines),
            "directory =",
            "is not an https URL",
        );
    }
}

#[test]
fn keys_are_kept_where_nobody_else_looks() {
    let folder = Folder::new();
    let store = folder.0.join("acme");
    fs::create_dir(&store).unwrap();
    for (mode, refused) in [(0o700, false), (0o750, true), (0o701, true), (0o777, true)] {
        fs::set_permissions(&store, fs::Permissions::from_mode(mode)).unwrap();
        let problems = folder.problems(&acme(&format!("{AGREED}\nstorage = \"acme\"")));
        assert_eq!(
            problems.len(),
            usize::from(refused),
            "{mode:o} {problems:#?}"
        );
        assert!(
            problems.iter().all(|it| it.contains("chmod 700")),
            "{problems:#?}"
        );
    }
    let to = |storage: &str| acme(&format!("{AGREED}\nstorage = {storage:?}"));
    one(&folder, &to("cert.pem"), "storage =", "it is not a folder");
    std::os::unix::fs::symlink(&store, folder.0.join("link")).unwrap();
    one(&folder, &to("link"), "storage =", "it is not a folder");
    one(
        &folder,
        &to("credential:acme"),
        "storage =",
        "credentials are not written to",
    );
}

#[test]
fn an_external_accounts_key_is_a_secret_of_some_length() {
    let folder = Folder::new();
    let good = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let text = acme(&format!(
        "{AGREED}\nexternal_account = {{ kid = \"k\", key_file = \"eab\" }}"
    ));
    folder.write("eab", &format!("{good}\n"), 0o600);
    assert_eq!(folder.problems(&text), [""; 0]);
    for (key, mode, says) in [
        (good, 0o644, "can be read by others"),
        ("c2hvcnQ", 0o600, "shorter than 32 bytes"),
        ("not base64!", 0o600, "it is not base64url"),
    ] {
        folder.write("eab", key, mode);
        one(&folder, &text, "external_account =", says);
        assert!(!folder.problems(&text)[0].contains(key));
    }
}

#[test]
fn a_root_of_ones_own_is_one() {
    let folder = Folder::new();
    let text = acme(&format!("{AGREED}\nca = \"root.pem\""));
    one(&folder, &text, "ca =", "root.pem");
    folder.write("root.pem", "nothing", 0o644);
    one(&folder, &text, "ca =", "it holds no PEM certificate");
}

#[test]
fn an_authority_writes_to_an_address() {
    for contact in [
        "ops@example.com",
        "mailto:ops",
        "mailto:a@b.test,c@d.test",
        "tel:+1",
    ] {
        let lines = format!("{AGREED}\ncontact = [{contact:?}]");
        one(&Folder::new(), &acme(&lines), "contact =", "mailto:");
    }
    let lines = format!("{AGREED}\ncontact = [\"mailto:ops@example.com\"]");
    assert_eq!(Folder::new().problems(&acme(&lines)), [""; 0]);
}

/// The task that renews it goes by what was there at the start.
#[test]
fn no_reload_changes_how_a_certificate_is_obtained() {
    let folder = Folder::new();
    let judged = |text: &str| folder.judge(text).ok().unwrap();
    let path = folder.0.join("wardwire.toml");
    let refused = |before: &Config, after: &Config| {
        let refused = bound_to_start(before, after, &path).err();
        refused.map(|it| it.lines().next().unwrap())
    };
    let running = judged(&acme(AGREED));
    for (text, key) in [
        (SAFE.to_owned(), "server.acme"),
        (acme(&AGREED.replace("live.", "other.")), "server.acme"),
        (
            acme(&format!("{AGREED}\ncontact = [\"mailto:ops@example.com\"]")),
            "server.acme",
        ),
        (
            format!("{}\n[http2]\nwebsockets = true\n", acme(AGREED)),
            "http2.websockets",
        ),
    ] {
        let why = refused(&running, &judged(&text)).unwrap();
        assert!(
            why.contains(key) && why.contains("running server cannot"),
            "{why}"
        );
    }
    assert_eq!(refused(&running, &judged(&acme(AGREED))), None);
    let plain = judged(SAFE);
    let http2 = judged(&format!("{SAFE}\n[http2]\nwebsockets = true\n"));
    assert_eq!(refused(&plain, &http2), None, "files' certificates follow");
}

#[test]
fn further_certificates_are_for_files_alone() {
    let more = "[[server.certificates]]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n[admin]";
    let text = acme(AGREED).replacen("[admin]", more, 1);
    let problems = Folder::new().problems(&text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("beside `acme`"), "{problems:#?}");
}
