//! Whose certificates are taken: none that is old, revoked, for something else or of somebody else.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use super::*;

/// A certificate that must not be taken: what the client is told, and what the log.
struct Bad {
    client: Client,
    alert: AlertDescription,
    detail: &'static str,
}

fn bad(authority: &Authority) -> Vec<Bad> {
    let spoilt = |spoil: fn(&mut CertificateParams), alert, detail| Bad {
        client: authority.certify("trader-1.example.com", spoil),
        alert,
        detail,
    };
    let strangers = Authority::new("clients");
    vec![
        spoilt(
            |it| it.not_after = date_time_ymd(2024, 1, 1),
            AlertDescription::CertificateExpired,
            "it has expired",
        ),
        spoilt(
            |it| it.not_before = date_time_ymd(4000, 1, 1),
            AlertDescription::CertificateExpired,
            "it is not valid yet",
        ),
        spoilt(
            |it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            AlertDescription::UnsupportedCertificate,
            "its extended key usage is not clientAuth",
        ),
        spoilt(
            |it| it.serial_number = Some(SerialNumber::from(77_u64)),
            AlertDescription::CertificateRevoked,
            "it was revoked",
        ),
        spoilt(
            |it| it.subject_alt_names.clear(),
            AlertDescription::AccessDenied,
            "none of its names is listed",
        ),
        Bad {
            client: authority.certify("trader-2.example.com", |_| {}),
            alert: AlertDescription::AccessDenied,
            detail: "none of its names is listed",
        },
        Bad {
            client: Client::self_signed("trader-1.example.com"),
            alert: AlertDescription::UnknownCA,
            detail: "no authority of ours issued it",
        },
        // Of the same name as ours, with another key.
        Bad {
            client: strangers.certify("trader-1.example.com", |_| {}),
            alert: AlertDescription::DecryptError,
            detail: "a signature does not hold: its authority's, or the client's own",
        },
    ]
}

#[test]
fn no_other_certificate_gets_past_tls() {
    let authority = Authority::new("clients");
    let setup = configured(
        &authority,
        "crl = [\"clients.crl\"]\nnames = [\"TRADER-1.example.com\"]",
    );
    std::fs::write(
        setup.folder.join("clients.crl"),
        authority.revoke(&[77], 600),
    )
    .unwrap();
    let server = setup.start();
    let good = authority.certify("trader-1.example.com", |_| {});
    let token = server.issuer.token("alice").mint();
    open(&server, &good, &Handshake::new("/native").bearer(&token));
    server.closed(1006, "dropped");
    for version in BOTH {
        for Bad {
            client,
            alert: expected,
            detail,
        } in bad(&authority)
        {
            let before = server.audit().len();
            let told = alert(&server, client.tls(&server, &[version]));
            assert_eq!(told, Some(expected), "{detail}");
            let event = server.refused_since(before, "certificate-refused");
            assert_eq!(event["stage"], "tls");
            assert_eq!(event["detail"], detail);
            let subject = event["certificate"]["subject"].as_str().unwrap();
            assert!(subject.starts_with("CN=trader-"), "{event}");
        }
    }
}

#[test]
fn a_chain_that_would_take_long_to_judge_is_not_looked_at() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "");
    let token = server.issuer.token("alice").mint();
    // Each of the same name, so that each could have issued each.
    let strangers: Vec<_> = (0..4).map(|_| Authority::new("x").der()).collect();
    for (between, told) in [(2, None), (4, Some(AlertDescription::CertificateUnknown))] {
        let mut client = authority.certify("trader-1.example.com", |_| {});
        client.between = strangers[..between].to_vec();
        let before = server.audit().len();
        match told {
            None => drop(open(
                &server,
                &client,
                &Handshake::new("/native").bearer(&token),
            )),
            told => {
                assert_eq!(alert(&server, client.tls(&server, &BOTH)), told);
                let event = server.refused_since(before, "certificate-refused");
                let detail = "its chain is longer than any that is taken";
                assert_eq!(event["detail"], detail);
            }
        }
    }
    let mut long = authority.certify("trader-1.example.com", |it| {
        let name = |n| SanType::DnsName(format!("{n}.{}.test", "x".repeat(50)).try_into().unwrap());
        it.subject_alt_names.extend((0..300).map(name));
    });
    long.between.clear();
    let before = server.audit().len();
    assert!(alert(&server, long.tls(&server, &BOTH)).is_some());
    server.refused_since(before, "certificate-refused");
}

#[test]
fn who_shows_no_certificate_gets_past_tls_no_more() {
    let server = demanding(&Authority::new("clients"), "");
    let before = server.audit().len();
    let told = alert(&server, tls(&server));
    assert_eq!(told, Some(AlertDescription::CertificateRequired));
    let event = server.refused_since(before, "certificate-refused");
    assert_eq!(event["detail"], "none was shown");
    assert_eq!(event["certificate"], Value::Null);
}

#[test]
fn where_there_are_revocation_lists_each_issuer_needs_one_that_is_up_to_date() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let setup = configured(&first, "crl = [\"first.crl\"]");
    let both = first.pem() + &second.pem();
    std::fs::write(setup.folder.join("clients-ca.pem"), both).unwrap();
    std::fs::write(setup.folder.join("first.crl"), first.revoke(&[], 15)).unwrap();
    let server = setup.start();
    let before = server.audit().len();
    let unlisted = second.certify("trader-1.example.com", |_| {});
    alert(&server, unlisted.tls(&server, &BOTH)).unwrap();
    let event = server.refused_since(before, "certificate-refused");
    assert_eq!(event["detail"], "no revocation list of its issuer is there");
    let listed = first.certify("trader-1.example.com", |_| {});
    let token = server.issuer.token("alice").mint();
    open(&server, &listed, &Handshake::new("/native").bearer(&token));
    // The list's time passes while the server runs.
    let begun = Instant::now();
    loop {
        let mut connection = mutual(&server, listed.tls(&server, &BOTH));
        connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if connection.try_response().is_none() {
            break;
        }
        assert!(begun.elapsed() < 2 * PATIENCE, "an old list still serves");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.audited(|it| it["detail"] == "the revocation list of its issuer is out of date");
}

#[test]
fn an_authority_between_counts_if_it_is_sent_and_was_not_revoked() {
    let root = Authority::new("root");
    let (good, bad) = (root.below("good", 1), root.below("bad", 2));
    let setup = configured(&root, "crl = [\"root.crl\", \"below.crl\"]");
    let below = good.revoke(&[], 600) + &bad.revoke(&[], 600);
    std::fs::write(setup.folder.join("root.crl"), root.revoke(&[2], 600)).unwrap();
    std::fs::write(setup.folder.join("below.crl"), below).unwrap();
    let server = setup.start();
    let [mut through_good, mut through_bad] =
        [&good, &bad].map(|it| it.certify("trader-1.example.com", |_| {}));
    let before = server.audit().len();
    alert(&server, through_good.tls(&server, &BOTH)).unwrap();
    let event = server.refused_since(before, "certificate-refused");
    assert_eq!(event["detail"], "no authority of ours issued it");
    through_good.between.push(good.der());
    through_bad.between.push(bad.der());
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/machines").bearer(&token);
    open(&server, &through_good, &handshake);
    let told = alert(&server, through_bad.tls(&server, &BOTH));
    assert_eq!(told, Some(AlertDescription::CertificateRevoked));
}
/// Runs openssl in the server's folder, and tells what it said.
fn openssl(folder: &Path, arguments: &str, input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may hang up before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// What another implementation certifies, revokes and connects with is judged alike.
#[test]
fn an_authority_and_clients_of_openssls_are_taken_and_turned_away_alike() {
    let setup = configured(&Authority::new("unused"), "crl = [\"clients.crl\"]");
    let folder = setup.folder.clone();
    let made = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    made(
        "ca.cnf",
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\ndefault_crl_days = 1\n",
    );
    made("index.txt", "");
    made("number", "01\n");
    made("client.ext", "extendedKeyUsage = clientAuth\n");
    openssl(
        &folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out clients-ca.pem -subj /CN=own -days 2",
        "",
    );
    for name in ["good", "bad"] {
        for command in [
            format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /O=Own/CN={name}"
            ),
            format!(
                "x509 -req -in {name}.csr -CA clients-ca.pem -CAkey ca.key -CAcreateserial -extfile client.ext -days 2 -out {name}.pem"
            ),
        ] {
            openssl(&folder, &command, "");
        }
    }
    let ca = "ca -config ca.cnf -keyfile ca.key -cert clients-ca.pem";
    openssl(&folder, &format!("{ca} -revoke bad.pem"), "");
    openssl(&folder, &format!("{ca} -gencrl -out clients.crl"), "");
    let server = setup.start();
    let ask = |name: &str| {
        let address = server.mutual.unwrap();
        openssl(
            &folder,
            &format!(
                "s_client -connect {address} -servername localhost -cert {name}.pem -key {name}.key -ign_eof"
            ),
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )
    };
    let text = ask("good");
    assert!(text.contains("HTTP/1.1 404"), "{text}");
    let event = server.refused("not-found");
    assert_eq!(event["certificate"]["subject"], "O=Own, CN=good");
    let text = ask("bad");
    assert!(!text.contains("HTTP/1.1"), "{text}");
    assert!(text.contains("certificate revoked"), "{text}");
    let event = server.refused("certificate-refused");
    assert_eq!(event["detail"], "it was revoked");
}
