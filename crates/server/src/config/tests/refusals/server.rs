//! `[server]`: certificates, origins and hosts.

use super::*;

#[test]
fn without_tls() {
    let text = with("tls = {", "# tls = {");
    one(&Folder::new(), &text, "[server]", "has no `tls`");
}

#[test]
fn a_certificate_or_key_that_is_not_there() {
    let folder = Folder::new();
    fs::remove_file(folder.0.join("cert.pem")).unwrap();
    one(&folder, SAFE, "cert =", "cert.pem");
    fs::remove_file(folder.0.join("key.pem")).unwrap();
    assert_eq!(folder.problems(SAFE).len(), 2, "both are named");
}

#[test]
fn a_certificate_that_is_none() {
    let folder = Folder::new();
    folder.write("cert.pem", "hello", 0o644);
    one(&folder, SAFE, "cert =", "holds no certificate");
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    folder.write("cert.pem", nonsense, 0o644);
    one(&folder, SAFE, "cert =", "cert.pem");
}

#[test]
fn a_key_that_others_can_read() {
    let folder = Folder::new();
    for mode in [0o640, 0o604, 0o620, 0o602] {
        let path = folder.0.join("key.pem");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        one(&folder, SAFE, "key =", "can be read by others");
    }
}

#[test]
fn a_certificate_that_expired() {
    let folder = Folder::new();
    folder.certify(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    one(&folder, SAFE, "cert =", "expired at");
}

#[test]
fn a_certificate_that_is_not_valid_yet() {
    let folder = Folder::new();
    folder.certify(|params| params.not_before = rcgen::date_time_ymd(3000, 1, 1));
    one(&folder, SAFE, "cert =", "is valid from");
}

#[test]
fn a_key_of_another_certificate() {
    let folder = Folder::new();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    folder.write("key.pem", &key, 0o600);
    one(&folder, SAFE, "key =", "is not the key of");
}

#[test]
fn an_expired_certificate_with_a_shared_key_is_two_problems() {
    let folder = Folder::new();
    folder.certify(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    fs::set_permissions(folder.0.join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(folder.problems(SAFE).len(), 2);
}

#[test]
fn without_origins() {
    let folder = Folder::new();
    let text = with("origins = [\"https://app.example.com\"]", "");
    one(&folder, &text, "[server]", "has no `origins`");
    let text = with("[\"https://app.example.com\"]", "[]");
    one(&folder, &text, "origins =", "has no `origins`");
}

#[test]
fn origins_that_stand_for_others() {
    let folder = Folder::new();
    for origin in ["*", "https://*", "https://*.example.com", "*.example.com"] {
        let text = with("https://app.example.com", origin);
        one(&folder, &text, "origins =", "pages nobody listed");
        assert!(folder.problems(&text)[0].contains("development.any_origin = true"));
    }
}

#[test]
fn origins_over_an_open_line() {
    let folder = Folder::new();
    for origin in ["http://app.example.com", "http://localhost:3000"] {
        let text = with("https://app.example.com", origin);
        one(&folder, &text, "origins =", "is not https");
    }
}

#[test]
fn origins_that_are_none() {
    let folder = Folder::new();
    for origin in [
        "",
        "https://app.example.com/",
        "https://app.example.com/chat",
        "app.example.com",
        "https://user@app.example.com",
        "ftp://app.example.com",
        "https://app.example.com:0",
        "https://app.example.com https://b.example.com",
    ] {
        let text = with("https://app.example.com", origin);
        one(&folder, &text, "origins =", "is not an origin");
    }
    let text = with("https://app.example.com", "null");
    one(&folder, &text, "origins =", "sandboxed frame");
}

#[test]
fn each_bad_origin_has_its_own_line() {
    let bad = "[\n  \"https://app.example.com\",\n  \"http://x.example\",\n  \"*\",\n]";
    let text = with("[\"https://app.example.com\"]", bad);
    let problems = Folder::new().problems(&text);
    assert_eq!(problems.len(), 2);
    assert!(problems[0].starts_with("6: ") && problems[1].starts_with("7: "));
}

#[test]
fn hosts_that_stand_for_others() {
    let folder = Folder::new();
    let hosts = |host: &str| with("tls = {", &format!("hosts = [\"{host}\"]\ntls = {{"));
    for host in [
        "*",
        "",
        "a:80",
        "https://a.example",
        "a.*.example",
        "**.example.com",
        "a b",
    ] {
        one(&folder, &hosts(host), "hosts =", "is not a host");
    }
    for host in ["*.com", "*.com.", "*.127.0.0.1"] {
        one(&folder, &hosts(host), "hosts =", "hosts of strangers");
    }
    for host in [
        "*.example.com",
        "ws.example.com",
        "127.0.0.1",
        "*.localhost",
        "::1",
    ] {
        assert_eq!(folder.problems(&hosts(host)), [""; 0]);
    }
}

#[test]
fn a_certificate_for_no_host_needs_hosts() {
    let folder = Folder::new();
    folder.certify(|params| params.subject_alt_names.clear());
    one(&folder, SAFE, "[server]", "the certificate names no host");
    let text = with("tls = {", "hosts = [\"ws.example.com\"]\ntls = {");
    assert_eq!(folder.problems(&text), [""; 0]);
}
