//! Where the server stands in a network: lists of balancers hold no strangers.

use super::*;

/// [`SAFE`] behind a balancer that speaks the PROXY protocol.
fn proxy_protocol(from: &str) -> String {
    let line = format!("proxy_protocol = {{ from = [{from}] }}\ntls = {{");
    with("tls = {", &line)
}

#[test]
fn balancers_are_networks_of_ones_own_and_single_addresses() {
    let folder = Folder::new();
    for from in [
        "\"10.0.0.0/8\"",
        "\"192.168.4.0/24\", \"203.0.113.7\", \"2001:db8::7\"",
        "\"fd00:1::/32\"",
    ] {
        assert_eq!(folder.problems(&proxy_protocol(from)), [""; 0], "{from}");
    }
}

#[test]
fn a_list_of_balancers_with_strangers_in_it() {
    let folder = Folder::new();
    for (from, says) in [
        ("", "the list of balancers is empty"),
        ("\"0.0.0.0/0\"", "holds more than a network of your own"),
        ("\"::/0\"", "holds more than a network of your own"),
        (
            "\"10.0.0.0/8\", \"0.0.0.0/0\"",
            "holds more than a network of your own",
        ),
        ("\"fd00::/16\"", "holds more than a network of your own"),
        ("\"203.0.113.0/24\"", "a network of public addresses"),
        ("\"2001:db8::/64\"", "a network of public addresses"),
        ("\"::ffff:10.0.0.0/104\"", "IPv4 written as IPv6"),
        ("\"10.0.0.7/8\"", "is not a network like"),
        ("\"lb.example.com\"", "is not a network like"),
        ("\"*\"", "is not a network like"),
    ] {
        one(&folder, &proxy_protocol(from), "proxy_protocol =", says);
    }
}

#[test]
fn the_proxy_protocol_without_a_list() {
    let text = with("tls = {", "proxy_protocol = {}\ntls = {");
    one(
        &Folder::new(),
        &text,
        "proxy_protocol =",
        "`from` is missing",
    );
    let text = with("tls = {", "proxy_protocol = true\ntls = {");
    assert_eq!(Folder::new().problems(&text).len(), 1);
}

/// [`SAFE`] behind a balancer that ends TLS.
fn ended_by(balancers: &str) -> String {
    let tls = format!("hosts = [\"ws.example.com\"]\ntls = {{ terminated_by = [{balancers}] }}");
    with("tls = { cert = \"cert.pem\", key = \"key.pem\" }", &tls)
}

#[test]
fn tls_may_end_at_balancers_that_are_named() {
    let folder = Folder::new();
    for balancers in ["\"10.0.0.0/24\"", "\"203.0.113.7\", \"fd00:1::/64\""] {
        assert_eq!(folder.problems(&ended_by(balancers)), [""; 0]);
    }
    let config = folder.judge(&ended_by("\"10.0.0.0/24\"")).ok().unwrap();
    assert_eq!(config.hosts().collect::<Vec<_>>(), ["ws.example.com"]);
    fs::remove_file(folder.0.join("key.pem")).unwrap();
    assert_eq!(
        folder.problems(&ended_by("\"10.0.0.0/24\"")),
        [""; 0],
        "it needs no key"
    );
}

#[test]
fn tls_never_ends_at_strangers() {
    let folder = Folder::new();
    for (balancers, says) in [
        ("", "the list of balancers is empty"),
        ("\"0.0.0.0/0\"", "holds more than a network of your own"),
        ("\"::/0\"", "holds more than a network of your own"),
        (
            "\"10.0.0.0/8\", \"::/0\"",
            "holds more than a network of your own",
        ),
        ("\"8.0.0.0/7\"", "holds more than a network of your own"),
        ("\"203.0.113.0/24\"", "a network of public addresses"),
        ("\"2001:db8::/32\"", "a network of public addresses"),
        ("\"any\"", "is not a network like"),
    ] {
        one(&folder, &ended_by(balancers), "terminated_by =", says);
    }
}

#[test]
fn behind_a_balancer_that_ends_tls_hosts_have_to_be_named() {
    let text = ended_by("\"10.0.0.0/24\"").replace("hosts = [\"ws.example.com\"]\n", "");
    one(&Folder::new(), &text, "[server]", "server.hosts is missing");
}

#[test]
fn tls_ends_at_one_place_and_has_both_halves_there() {
    let folder = Folder::new();
    let tls = |inside: &str| with("tls = { cert = \"cert.pem\", key = \"key.pem\" }", inside);
    for both in [
        "tls = { cert = \"cert.pem\", key = \"key.pem\", terminated_by = [\"10.0.0.1\"] }",
        "tls = { key = \"key.pem\", terminated_by = [\"10.0.0.1\"] }",
    ] {
        one(
            &folder,
            &tls(both),
            "terminated_by =",
            "at a balancer or here, not both",
        );
    }
    for (half, says) in [
        ("tls = { cert = \"cert.pem\" }", "`key` is missing"),
        ("tls = { key = \"key.pem\" }", "`cert` is missing"),
        ("tls = {}", "`cert` is missing"),
    ] {
        one(&folder, &tls(half), "tls =", says);
    }
    for wrong in ["tls = false", "tls = { terminated_by = \"10.0.0.1\" }"] {
        assert_eq!(folder.problems(&tls(wrong)).len(), 1, "{wrong}");
    }
}

#[test]
fn a_plain_port_redirects_where_tls_ends_here() {
    let folder = Folder::new();
    let redirect = |lines: &str| with("tls = {", &format!("{lines}\ntls = {{"));
    assert_eq!(
        folder.problems(&redirect("redirect = \"0.0.0.0:80\"")),
        [""; 0]
    );
    let lines = "redirect = \"[::]:8080\"\nredirect_port = 443";
    assert_eq!(folder.problems(&redirect(lines)), [""; 0]);
    for (lines, at, says) in [
        (
            "redirect_port = 443",
            "redirect_port",
            "there is nothing that redirects",
        ),
        (
            "redirect = \"0.0.0.0:80\"\nredirect_port = 0",
            "redirect_port",
            "is 0",
        ),
        (
            "redirect = \"0.0.0.0:80\"\nproxy_protocol = { from = [\"10.0.0.1\"] }",
            "redirect =",
            "behind a balancer",
        ),
    ] {
        one(&folder, &redirect(lines), at, says);
    }
    let ended = ended_by("\"10.0.0.1\"").replace("tls = {", "redirect = \"0.0.0.0:80\"\ntls = {");
    one(&folder, &ended, "redirect =", "behind a balancer");
    let same = redirect("redirect = \"127.0.0.1:8443\"").replace(
        "listen = \"127.0.0.1:0\"\norigins",
        "listen = \"127.0.0.1:8443\"\norigins",
    );
    one(
        &folder,
        &same,
        "redirect =",
        "is the address of server.listen",
    );
    assert_eq!(folder.problems(&redirect("redirect = 80")).len(), 1);
    assert_eq!(
        folder
            .problems(&redirect(
                "redirect = \"0.0.0.0:80\"\nredirect_port = 65536"
            ))
            .len(),
        1
    );
}

/// Two lines of `[http2]` more.
fn http2(text: &str, lines: &str) -> String {
    format!("{text}\n[http2]\n{lines}\n")
}

#[test]
fn http_2_is_off_unless_it_is_asked_for() {
    let folder = Folder::new();
    let config = folder.judge(SAFE).ok().unwrap();
    assert!(!config.file.http2.websockets);
    let asked = folder
        .judge(&http2(SAFE, "websockets = true"))
        .ok()
        .unwrap();
    assert!(asked.file.http2.websockets && asked.file.http2.streams == 100);
    for streams in ["streams = 0", "streams = 10001"] {
        assert_eq!(folder.problems(&http2(SAFE, streams)).len(), 1, "{streams}");
    }
}

#[test]
fn http_2_ends_where_tls_ends() {
    let behind = http2(&ended_by("\"10.0.0.0/24\""), "websockets = true");
    let says = "HTTP/2 is spoken only where TLS ends here";
    one(&Folder::new(), &behind, "websockets =", says);
    let off = http2(&ended_by("\"10.0.0.0/24\""), "websockets = false");
    assert_eq!(Folder::new().problems(&off), [""; 0]);
    // A balancer that passes TLS through does not end it.
    let through = http2(&proxy_protocol("\"10.0.0.0/24\""), "websockets = true");
    assert_eq!(Folder::new().problems(&through), [""; 0]);
}
