//! `[development]`: what is unsafe is said loudly.

use super::*;

#[test]
fn each_override_warns_loudly() {
    let folder = Folder::new();
    let text = format!(
        "{}[development]\nany_origin = true\n",
        with("[\"https://app.example.com\"]", "[]")
    );
    let warnings = folder.warnings(&text);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("every page on the web")
            && warnings[0].contains("Never in production")
    );
    let (before, after) = SAFE.split_once("[[issuer]]").unwrap();
    let rest = &after[after.find("[[route]]").unwrap()..];
    let text = format!("{before}{rest}\n[development]\nwithout_issuer = true\n");
    let warnings = folder.warnings(&text);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("nobody can sign in"));
}

#[test]
fn no_override_lets_a_bad_origin_in() {
    let folder = Folder::new();
    let text = format!(
        "{}[development]\nany_origin = true\n",
        with("https://app.example.com", "*")
    );
    assert_eq!(folder.problems(&text).len(), 1);
}

#[test]
fn a_page_of_another_site_is_worth_a_warning() {
    let folder = Folder::new();
    let text = with("https://app.example.com", "https://app.example.org");
    let warnings = folder.warnings(&text);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("4: ") && warnings[0].contains("session cookie"));
    let text = with("tls = {", "hosts = [\"[::1]\"]\ntls = {").replace("[::1]", "::1");
    let text = text.replace("https://app.example.com", "https://[::1]:8443");
    assert_eq!(folder.warnings(&text), [""; 0]);
}

#[test]
fn channels_without_a_rule_are_worth_a_warning() {
    let (text, _) = SAFE.split_once("[[channel]]").unwrap();
    let warnings = Folder::new().warnings(text);
    assert!(warnings[0].contains("no [[channel]]"), "{warnings:?}");
}
