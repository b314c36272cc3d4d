//! `[forward_auth]`: what would be shown to somebody else, or have users pass for one another.

use super::*;

const ASKED: &str = "[forward_auth]\nname = \"app\"\nurl = \"https://app.example.com/whoami\"\ncookies = [\"sid\"]\n[[route]]";

/// With this in the place of what stands in [`ASKED`], and an issuer that has a name.
fn asking(what: &str, instead: &str) -> String {
    let asked = ASKED.replacen(what, instead, 1);
    with("[[route]]", &asked).replace(
        "audience = \"wardwire\"",
        "audience = \"wardwire\"\nname = \"id\"",
    )
}

fn refused(what: &str, instead: &str, word: &str) {
    let problems = Folder::new().problems(&asking(what, instead)).join("\n");
    assert!(problems.contains(word), "{instead}: {problems}");
}

#[test]
fn an_application_may_stand_alone_or_beside_issuers_with_names() {
    assert_eq!(Folder::new().problems(&asking("", "")), [""; 0]);
    let (before, after) = SAFE.split_once("[[issuer]]").unwrap();
    let alone = format!(
        "{before}{ASKED}{}",
        after.split_once("[[route]]").unwrap().1
    );
    assert_eq!(Folder::new().problems(&alone), [""; 0]);
    let nameless = asking("", "").replace("name = \"id\"", "");
    let problems = Folder::new().problems(&nameless).join("\n");
    assert!(
        problems.contains("could pass for one another"),
        "{problems}"
    );
    refused("\"app\"", "\"id\"", "could pass for one another");
    refused("\"app\"", "\"a:b\"", "no name for an application");
    refused(
        "app.example.com/whoami",
        "id.example.com",
        "could pass for one another",
    );
}

#[test]
fn cookies_do_not_travel_over_an_open_line() {
    for url in [
        "http://app.example.com/whoami",
        "http://localhost/whoami",
        "http://10.0.0.1/whoami",
        "https://user@app.example.com/whoami",
        "https:///whoami",
    ] {
        refused("https://app.example.com/whoami", url, "an open line");
    }
    let local = "http://127.0.0.1:3000/whoami";
    refused(
        "https://app.example.com/whoami",
        local,
        "outbound.allow does not list it",
    );
    let listed = "https://app.example.com/whoami";
    let text = asking(listed, local) + "[outbound]\nallow = [\"127.0.0.0/8\"]\n";
    assert_eq!(Folder::new().problems(&text), [""; 0]);
}

#[test]
fn what_is_never_shown_to_an_application() {
    refused("\"sid\"", "\"__Host-wardwire\"", "this server's own");
    refused("\"sid\"", "\"__host-wardwire-x\"", "this server's own");
    refused("[\"sid\"]", "[]", "cookies");
    refused("\"sid\"", "\"a;b\"", "no cookie that can be listed");
    for header in [
        "Authorization",
        "Cookie",
        "X-Forwarded-For",
        "Connection",
        "Host",
    ] {
        let more = format!("[\"sid\"]\nheaders = [\"{header}\"]");
        refused("[\"sid\"]", &more, "never passed on");
    }
}
