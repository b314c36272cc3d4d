//! `wardwire doctor identity`: a provider as it has to be, and what is said of one that is not.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{
    Provider,
    provider::{CALLBACK, secret_of, with_key},
};
use crate::harness::{KeyServer, Setup, now, response, secret};

const ASKED: &str =
    "[issuer.introspection]\nclient_id = \"basic\"\nclient_secret_file = \"client.secret\"";

/// What it says of a configuration, and whether it found a fault.
fn doctor(setup: &Setup, config: &str) -> (String, bool) {
    secret(&setup.folder.join("admin.token"), &"t".repeat(32));
    fs::write(setup.folder.join("wardwire.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(["doctor", "identity"])
        .current_dir(&setup.folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors, "", "{said}");
    assert!(!said.contains(&secret_of()), "{said}");
    (said, output.status.code() == Some(1))
}

#[track_caller]
fn says(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
}

#[test]
fn a_provider_that_is_as_it_has_to_be_has_no_faults() {
    for client in ["basic", "post", "key", "public"] {
        let setup = with_key();
        let provider = Provider::start(&setup);
        let tokens = "audience = \"wardwire\"";
        let setup = provider.configured(setup, client, tokens, ASKED);
        let (said, faults) = doctor(&setup, &setup.config());
        assert!(!faults, "{said}");
        says(
            &said,
            &[
                &provider.issuer,
                "ok    discovery: ",
                "ok    keys: 1 in ",
                "provider (ES256)",
                "ok    clock: goes with this machine's",
                "ok    sign-in: PKCE by S256",
                "ok    answers: name the issuer",
                "ok    sign-out: browsers sign out at ",
                "ok    sign-out: it tells this server when somebody signs out there, and of which session",
                "answers \"basic\" about tokens",
                "no faults",
            ],
        );
        if client != "public" {
            says(
                &said,
                &[&format!("ok    client: it knows this server as {client:?}")],
            );
        }
    }
}

#[test]
fn a_provider_that_does_not_know_this_server_is_named_with_what_to_look_at() {
    let setup = Setup::new();
    let provider = Provider::start(&setup);
    let setup = provider.configured(setup, "basic", "audience = \"wardwire\"", ASKED);
    secret(&setup.folder.join("client.secret"), "another");
    let (said, faults) = doctor(&setup, &setup.config());
    assert!(faults);
    says(
        &said,
        &[
            "FAULT client: it does not take this server for \"basic\": 401 Some(\"invalid_client\")",
            "See under [issuer.sign_in]",
            "FAULT introspection: ",
            "See under [issuer.introspection]",
            "2 faults",
        ],
    );
}

#[test]
fn a_configuration_that_does_not_fit_its_provider_is_told_the_line_to_write() {
    let setup = Setup::new();
    let mut provider = Provider::start(&setup);
    let setup = provider.configured(setup, "basic", "audience = \"wardwire\"", ASKED);
    let config = setup.config();
    let spelt = config.replace(
        &format!("\"{}\"", provider.issuer),
        &format!("\"{}/\"", provider.issuer),
    );
    let line = format!("issuer = \"{}\"", provider.issuer);
    for (config, lines) in [
        (spelt, ["FAULT discovery: ", "names another issuer", &line]),
        (
            config.replace("allow = [\"127.0.0.1/32\"]\n", ""),
            ["FAULT discovery: ", "[outbound]", "allow = [\"127.0.0.1/32\"]"],
        ),
        (
            config.replace("ca = \"ca.pem\"\n", ""),
            ["FAULT discovery: ", "certificate", "ca = \"ca.pem\""],
        ),
        (
            config.replace("audience = ", "algorithms = [\"RS256\"]\naudience = "),
            ["FAULT keys: ", "none is for the algorithms [\"RS256\"]", "algorithms = [\"ES256\"]"],
        ),
        (
            config.replace("[[channel]]\nname = \"news\"", "[[route]]\npath = \"/gold\"\nrequire = { acr = \"gold\" }\n[[channel]]\nname = \"news\""),
            ["note  strength: ", "the route /gold demands the acr \"gold\"", "See require"],
        ),
        (
            config.replace("[issuer.sign_in]", "[issuer.sign_in]\nscopes = [\"rooms\"]"),
            ["note  sign-in: ", "does not list the scope \"rooms\"", "See scopes"],
        ),
    ] {
        let (said, faults) = doctor(&setup, &config);
        assert_eq!(faults, said.contains("FAULT"), "{said}");
        says(&said, &lines);
    }
    provider.stop();
    let (said, faults) = doctor(&setup, &config);
    assert!(faults);
    says(
        &said,
        &[
            "FAULT discovery: ",
            "could not be reached",
            "Look whether this machine can reach it",
        ],
    );
}

/// What a provider says that is as it has to be.
fn document(url: &str) -> Value {
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "authorization_endpoint": format!("{url}/auth"),
        "token_endpoint": format!("{url}/token"),
        "introspection_endpoint": format!("{url}/ask"),
        "end_session_endpoint": format!("{url}/end"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
    })
}

#[test]
fn what_a_provider_lacks_is_named_in_plain_words() {
    let mut setup = Setup::new();
    let provider = KeyServer::start(&setup);
    let url = provider.url();
    secret(&setup.folder.join("client.secret"), "s");
    setup.issuers = format!(
        "[[issuer]]\nissuer = \"{url}\"\naudience = \"wardwire\"\nca = \"ca.pem\"\n[issuer.sign_in]\nclient_id = \"basic\"\n\
         client_secret_file = \"client.secret\"\ncallback = \"{CALLBACK}\"\nafter_logout = \"https://app.localhost/\"\n{ASKED}\n"
    );
    let config = setup.config();
    let good = |path: &str, body: &Value| {
        let answer = response("200 OK", "", &body.to_string());
        provider.answer_at(path, answer);
    };
    let told = |document: &Value| good("/.well-known/openid-configuration", document);
    good("/jwks", &setup.issuer.jwks());
    good("/ask", &json!({ "active": false }));
    provider.answer_at(
        "/token",
        response("400 Bad Request", "", "{\"error\":\"invalid_grant\"}"),
    );
    told(&document(&url));
    let (said, faults) = doctor(&setup, &config);
    assert!(!faults, "{said}");
    says(&said, &["it does not say what time it is there"]);
    for (name, value, lines) in [
        (
            "jwks_uri",
            Value::Null,
            ["FAULT keys: its document names no jwks_uri", "jwks_url = "],
        ),
        (
            "token_endpoint",
            json!("http://id.test/"),
            [
                "FAULT sign-in: its document names no https token_endpoint",
                "drop sign_in",
            ],
        ),
        (
            "response_types_supported",
            json!(["id_token"]),
            ["FAULT sign-in: it does not offer the code flow", "Turn the"],
        ),
        (
            "code_challenge_methods_supported",
            json!(["plain"]),
            [
                "FAULT sign-in: it takes PKCE by [\"plain\"] only",
                "Turn PKCE by S256 on",
            ],
        ),
        (
            "code_challenge_methods_supported",
            Value::Null,
            [
                "note  sign-in: it does not say whether it takes PKCE",
                "Demand PKCE",
            ],
        ),
        (
            "id_token_signing_alg_values_supported",
            json!(["HS256"]),
            [
                "FAULT sign-in: it signs ID tokens by [\"HS256\"] only",
                "Have it sign",
            ],
        ),
        (
            "token_endpoint_auth_methods_supported",
            json!(["client_secret_post"]),
            [
                "note  client: it does not list this client_auth",
                "client_auth = \"post\"",
            ],
        ),
        (
            "introspection_endpoint",
            Value::Null,
            ["FAULT introspection: its document names no", "endpoint = "],
        ),
        (
            "pushed_authorization_request_endpoint",
            json!(format!("{url}/par")),
            [
                "ok    sign-in: requests are left there beforehand (PAR)",
                "",
            ],
        ),
        (
            "pushed_authorization_request_endpoint",
            json!("http://id.test/par"),
            [
                "FAULT sign-in: its pushed_authorization_request_endpoint is not https",
                "Mend it there.",
            ],
        ),
        (
            "end_session_endpoint",
            Value::Null,
            [
                "note  sign-out: it has no place where browsers sign out",
                "Drop after_logout",
            ],
        ),
        (
            "backchannel_logout_supported",
            Value::Null,
            [
                "note  sign-out: it does not say that it tells of sign-outs: sessions here last for 12h",
                "lifetime = ",
            ],
        ),
        (
            "backchannel_logout_session_supported",
            Value::Null,
            [
                "note  sign-out: it tells this server when somebody signs out there, but not of which session",
                "",
            ],
        ),
        (
            "authorization_response_iss_parameter_supported",
            Value::Null,
            ["note  answers: do not name the issuer", ""],
        ),
    ] {
        let mut spoilt = document(&url);
        spoilt[name] = value;
        told(&spoilt);
        let (said, faults) = doctor(&setup, &config);
        assert_eq!(faults, said.contains("FAULT"), "{name}: {said}");
        says(&said, &lines);
    }
    told(&document(&url));
    for (path, answer, line) in [
        ("/jwks", json!({ "keys": [] }), "FAULT keys: 0 in "),
        (
            "/jwks",
            json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }),
            "; 1 of no use for signatures here",
        ),
        ("/jwks", json!([]), "it is no JWK set"),
        ("/ask", json!({}), "does not say whether it is active"),
        (
            "/ask",
            json!({ "active": true, "aud": "wardwire", "sub": "a", "exp": now() + 60, "token_type": "Bearer" }),
            "says that an invented token holds",
        ),
    ] {
        good(path, &answer);
        let (said, faults) = doctor(&setup, &config);
        assert!(faults, "{said}");
        says(&said, &[line]);
        good("/jwks", &setup.issuer.jwks());
        good("/ask", &json!({ "active": false }));
    }
    for (answer, line) in [
        (
            response("401 Unauthorized", "", "{}"),
            "FAULT client: it does not take this server for \"basic\": 401 None",
        ),
        (
            response("400 Bad Request", "", "{\"error\":\"invalid_client\"}"),
            "FAULT client: ",
        ),
        (
            response("500 Oops", "", ""),
            "note  client: whether it knows this server cannot be told: 500 None",
        ),
    ] {
        provider.answer_at("/token", answer);
        says(&doctor(&setup, &config).0, &[line]);
    }
    // Its words steer no terminal.
    let mut hostile = document(&url);
    hostile["issuer"] = json!("\u{1b}[2Jevil");
    told(&hostile);
    let (said, _) = doctor(&setup, &config);
    assert!(!said.contains('\u{1b}') && said.contains("evil"), "{said}");
}

#[test]
fn what_it_advises_about_short_sessions_is_taken() {
    let mut setup = Setup::new();
    let provider = KeyServer::start(&setup);
    let url = provider.url();
    let mut document = document(&url);
    document["backchannel_logout_supported"] = json!(false);
    let answer = |body: &Value| response("200 OK", "", &body.to_string());
    provider.answer_at("/.well-known/openid-configuration", answer(&document));
    provider.answer_at("/jwks", answer(&setup.issuer.jwks()));
    provider.answer_at("/token", response("400 Bad Request", "", "{}"));
    let mut examine = |keys: &str| {
        setup.issuers = format!(
            "[[issuer]]\nissuer = \"{url}\"\nca = \"ca.pem\"\n[issuer.sign_in]\nclient_id = \"public\"\n\
             client_auth = \"none\"\ncallback = \"{CALLBACK}\"\n{keys}\n"
        );
        let config = setup.config();
        // It refuses to examine what `check` does not take, so that this asks both.
        let (said, _) = doctor(&setup, &config);
        let checked = Command::new(env!("CARGO_BIN_EXE_wardwire"))
            .arg("check")
            .current_dir(&setup.folder)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{keys}: {checked:?}");
        let advice = said.split_once("[issuer.sign_in]: ");
        let advice = advice.map(|(_, rest)| rest.lines().next().unwrap().replace(", ", "\n"));
        (said, advice)
    };
    for (written, advised) in [
        ("", "lifetime = \"1h\"\nidle = \"30m\""),
        ("lifetime = \"2h\"\n", "lifetime = \"1h\"\nidle = \"30m\""),
        ("idle = \"20m\"\n", "lifetime = \"1h\""),
    ] {
        let (_, advice) = examine(written);
        let advice = advice.unwrap();
        assert_eq!(advice, advised, "{written}");
        let keeps = |line: &&str| !advice.contains(line.split(' ').next().unwrap());
        let kept: Vec<_> = written.lines().filter(keeps).collect();
        let (said, more) = examine(&format!("{advice}\n{}", kept.join("\n")));
        assert_eq!(more, None, "{said}");
        says(&said, &["sessions here last for 1h"]);
    }
}

#[test]
fn a_clock_that_is_off_is_named_with_the_leeway_to_write() {
    let mut setup = Setup::new();
    let issuer = KeyServer::start(&setup);
    let url = issuer.url();
    let mut document = document(&url);
    document["jwks_uri"] = json!(format!("{url}/jwks"));
    issuer.answer_at(
        "/jwks",
        response("200 OK", "", &setup.issuer.jwks().to_string()),
    );
    for (off, leeway, lines) in [
        (100, "0s", ["s ahead of this machine's", "leeway = \"10"]),
        (-100, "0s", ["FAULT clock: ", "s behind this machine's"]),
        (100, "2m", ["ok    clock: ", "within the leeway of 2m"]),
        (4000, "0s", ["FAULT clock: ", "no leeway is so long"]),
    ] {
        let at = std::time::SystemTime::now();
        let span = std::time::Duration::from_secs(i64::unsigned_abs(off));
        // The second that it takes to be asked may end meanwhile.
        let at = if off > 0 {
            at + span + std::time::Duration::from_millis(900)
        } else {
            at - span
        };
        let date = format!("Date: {}\r\n", httpdate::fmt_http_date(at));
        issuer.answer_at(
            "/.well-known/openid-configuration",
            response("200 OK", &date, &document.to_string()),
        );
        setup.issuers = format!(
            "[[issuer]]\nissuer = \"{url}\"\naudience = \"wardwire\"\nca = \"ca.pem\"\nleeway = \"{leeway}\"\n"
        );
        let (said, faults) = doctor(&setup, &setup.config());
        assert_eq!(faults, said.contains("FAULT"), "{said}");
        says(&said, &lines);
    }
}

#[test]
fn answers_that_could_be_anothers_are_a_fault_where_two_share_a_callback() {
    let mut setup = Setup::new();
    let provider = Provider::start(&setup);
    let other = KeyServer::start(&setup);
    let url = other.url();
    let mut document = document(&url);
    document["authorization_response_iss_parameter_supported"] = json!(false);
    other.answer_at(
        "/.well-known/openid-configuration",
        response("200 OK", "", &document.to_string()),
    );
    let sign_in = |name: &str, issuer: &str| {
        format!(
            "[[issuer]]\nissuer = \"{issuer}\"\nname = \"{name}\"\nca = \"ca.pem\"\n[issuer.sign_in]\nclient_id = \"public\"\n\
             client_auth = \"none\"\ncallback = \"{CALLBACK}\"\n"
        )
    };
    setup.issuers = sign_in("own", &provider.issuer) + &sign_in("other", &url);
    let (said, faults) = doctor(&setup, &setup.config());
    assert!(faults);
    says(
        &said,
        &[
            "FAULT answers: do not name the issuer, and another shares its callback",
            "a callback on a host of its own",
        ],
    );
}

#[test]
fn what_needs_no_network_is_not_asked_for() {
    let setup = Setup::new();
    let (said, faults) = doctor(&setup, &setup.config());
    assert!(!faults, "{said}");
    says(
        &said,
        &["https://id.test (line", "k1 (ES256)", "not asked for"],
    );
    assert!(!said.contains("clock"), "{said}");
}

#[test]
fn a_configuration_that_is_not_taken_is_not_examined() {
    let setup = Setup::new();
    fs::write(setup.folder.join("wardwire.toml"), "[server]\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(["doctor", "identity"])
        .current_dir(&setup.folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && !output.stderr.is_empty());
}

#[test]
fn an_application_that_takes_nobody_for_somebody_is_a_fault() {
    let setup = Setup::new();
    let application = KeyServer::start(&setup);
    let asked = format!(
        "[forward_auth]\nname = \"app\"\nurl = \"{}/whoami\"\ncookies = [\"sid\"]\nca = \"ca.pem\"\n",
        application.url()
    );
    let setup = Setup {
        issuers: asked,
        ..setup
    };
    let said = |status: &str| {
        application.answer(response(status, "", "{\"sub\":\"alice\"}"));
        doctor(&setup, &setup.config())
    };
    for status in ["401 Unauthorized", "204 No Content"] {
        let (text, faults) = said(status);
        assert!(!faults, "{text}");
        says(
            &text,
            &["(forward_auth)", "ok    answer: ", "without a cookie"],
        );
    }
    let (text, faults) = said("200 OK");
    assert!(faults);
    says(&text, &["FAULT answer: 200 without a cookie"]);
    let (text, faults) = said("302 Found");
    assert!(faults);
    says(&text, &["FAULT answer: ", "answered 302"]);
    let (text, faults) = said("500 Oops");
    assert!(faults);
    says(&text, &["FAULT answer: 500 without a cookie"]);
}
