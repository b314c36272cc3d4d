//! Which key verifies what, and which configurations are refused.

use super::id_token::sign_in_at;
use super::*;
use crate::{oidc::ClientAuthentication, token::keys::KeySet};

fn finds(jwk: &Value, algorithm: Algorithm) -> bool {
    let set = json!({ "keys": [jwk] }).to_string();
    let wanted = Wanted {
        id: Some("a"),
        algorithm,
    };
    KeySet::parse(set.as_bytes())
        .unwrap()
        .find(wanted)
        .is_some()
}

#[test]
fn a_key_serves_only_algorithms_of_its_kind() {
    for (made, serves) in [
        (Algorithm::Es256, &[Algorithm::Es256][..]),
        (Algorithm::Es384, &[Algorithm::Es384]),
        (Algorithm::EdDsa, &[Algorithm::EdDsa, Algorithm::Ed25519]),
        (
            Algorithm::Rs256,
            &[
                Algorithm::Rs256,
                Algorithm::Rs384,
                Algorithm::Rs512,
                Algorithm::Ps256,
                Algorithm::Ps384,
                Algorithm::Ps512,
            ],
        ),
    ] {
        let jwk = Signer::new("a", made).jwk();
        for algorithm in Algorithm::ALL {
            assert_eq!(
                finds(&jwk, *algorithm),
                serves.contains(algorithm),
                "{made} {algorithm}"
            );
            let mut only = jwk.clone();
            only["alg"] = json!(made.as_str());
            assert_eq!(
                finds(&only, *algorithm),
                *algorithm == made,
                "{made} {algorithm}"
            );
        }
    }
}

#[test]
fn a_key_that_is_not_for_verifying_is_left_out() {
    let jwk = Signer::new("a", Algorithm::Es256).jwk();
    for (member, value, taken) in [
        ("use", json!("sig"), true),
        ("use", json!("enc"), false),
        ("use", json!(1), false),
        ("key_ops", json!(["verify"]), true),
        ("key_ops", json!(["sign", "verify"]), true),
        ("key_ops", json!(["sign"]), false),
        ("key_ops", json!([]), false),
        ("alg", json!("HS256"), false),
        ("alg", json!("ES384"), false),
        ("alg", json!(null), false),
        ("kty", json!("RSA"), false),
        ("kty", json!("oct"), false),
        ("crv", json!("P-384"), false),
        ("crv", json!("P-521"), false),
        ("crv", json!("secp256k1"), false),
        ("x", json!("AAAA"), false),
        ("y", json!("!"), false),
        ("kid", json!(1), false),
        ("d", json!("AAAA"), false),
        ("k", json!("AAAA"), false),
        ("x5c", json!(["AAAA"]), true),
    ] {
        let mut changed = jwk.clone();
        changed[member] = value.clone();
        assert_eq!(finds(&changed, Algorithm::Es256), taken, "{member} {value}");
    }
}

#[test]
fn rsa_keys_are_neither_weak_nor_dear() {
    for (bytes, first, taken) in [
        (255, 0xff, false),
        (256, 0x7f, false),
        (256, 0x80, true),
        (257, 0x00, true),
        (1024, 0xff, true),
        (1025, 0x01, false),
    ] {
        let mut modulus = vec![0xff; bytes];
        modulus[0] = first;
        let n = URL_SAFE_NO_PAD.encode(modulus);
        let jwk = json!({"kty": "RSA", "kid": "a", "n": n, "e": "AQAB"});
        assert_eq!(finds(&jwk, Algorithm::Ps256), taken, "{bytes} {first}");
    }
}

#[test]
fn a_set_is_bounded_and_strict() {
    let jwk = Signer::new("a", Algorithm::Es256).jwk();
    let of = |count: usize| json!({ "keys": vec![jwk.clone(); count] }).to_string();
    assert!(KeySet::parse(of(64).as_bytes()).is_ok());
    assert!(KeySet::parse(of(65).as_bytes()).is_err());
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(
        KeySet::parse(br#"{"keys":[1,null,{}]}"#)
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_exactly_one_key() {
    let (first, second) = (
        Signer::new("a", Algorithm::Es256),
        Signer::new("b", Algorithm::Es256),
    );
    let other = Signer::new("c", Algorithm::EdDsa);
    let token = first.sign_under(&json!({"alg": "ES256", "typ": "at+jwt"}), &claims());
    assert_eq!(reason(&trusting(&[&first, &other]), &token).await, None);
    let two = trusting(&[&first, &second]);
    assert_eq!(reason(&two, &token).await, Some(Reason::TokenKey));
    assert_eq!(reason(&two, &first.sign(&claims())).await, None);
}

#[test]
fn a_configuration_that_could_let_a_wrong_token_in_is_refused() {
    let keys = || KeySource::Url(KEYS.to_owned());
    let refused = |config: IssuerConfig| {
        let configs = vec![config];
        Issuers::new(configs, Arc::new(Net::default()), Hands::at(0)).err()
    };
    let named = || ISSUER.to_owned();
    assert_eq!(refused(config(keys())), None);
    let nameless = IssuerConfig {
        issuer: String::new(),
        ..config(keys())
    };
    assert_eq!(refused(nameless), Some(IssuerConfigError::NoName));
    for audience in [Audience::new([""]), Audience::new([] as [&str; 0])] {
        let config = IssuerConfig {
            audience,
            ..config(keys())
        };
        assert_eq!(
            refused(config),
            Some(IssuerConfigError::NoAudience(named()))
        );
    }
    let silent = IssuerConfig {
        algorithms: Vec::new(),
        ..config(keys())
    };
    assert_eq!(
        refused(silent),
        Some(IssuerConfigError::NoAlgorithm(named()))
    );
    let forgiving = IssuerConfig {
        leeway: Duration::from_secs(300),
        ..config(keys())
    };
    assert_eq!(refused(forgiving), None);
    let late = IssuerConfig {
        leeway: Duration::from_secs(301),
        ..config(keys())
    };
    assert_eq!(refused(late), Some(IssuerConfigError::Leeway(named())));
    let loose = IssuerConfig {
        profile: Profile::Jwt(Discriminator {
            claim: "azp".to_owned(),
            equals: String::new(),
        }),
        ..config(keys())
    };
    assert_eq!(
        refused(loose),
        Some(IssuerConfigError::EmptyDiscriminator(named()))
    );
    for url in [
        "http://id.example/keys",
        "file:///keys",
        "keys",
        "https://me@id.example/",
    ] {
        let open = config(KeySource::Url(url.to_owned()));
        assert!(
            matches!(refused(open), Some(IssuerConfigError::NotHttps { .. })),
            "{url}"
        );
    }
    let discovered = IssuerConfig {
        issuer: "http://id.example".to_owned(),
        ..config(KeySource::Discovery)
    };
    assert!(matches!(
        refused(discovered),
        Some(IssuerConfigError::NotHttps { .. })
    ));
    for set in ["", "{}", r#"{"keys":[]}"#] {
        let useless = config(KeySource::Static(set.as_bytes().to_vec()));
        assert!(
            matches!(refused(useless), Some(IssuerConfigError::Keys { .. })),
            "{set}"
        );
    }
    let both = |first: IssuerConfig, second: IssuerConfig| {
        let configs = vec![first, second];
        Issuers::new(configs, Arc::new(Net::default()), Hands::at(0)).err()
    };
    let called = |name: &str, issuer: &str| IssuerConfig {
        issuer: issuer.to_owned(),
        name: Some(name.to_owned()),
        ..config(keys())
    };
    let other = || "https://other.example".to_owned();
    assert_eq!(both(called("a", ISSUER), called("b", &other())), None);
    assert_eq!(
        both(called("a", ISSUER), called("b", ISSUER)),
        Some(IssuerConfigError::Twice(named()))
    );
    // Without names of their own, one's alice would pass for the other's.
    assert_eq!(
        both(config(keys()), called("b", &other())),
        Some(IssuerConfigError::Nameless(named()))
    );
    assert_eq!(
        both(called("a", ISSUER), called("a", &other())),
        Some(IssuerConfigError::SameName("a".to_owned()))
    );
    for name in ["a", "0", "-", "_", "our-idp_2", &"a".repeat(32)] {
        assert_eq!(refused(called(name, ISSUER)), None, "{name}");
    }
    for name in ["", "a:b", "A", "\u{e4}", &"a".repeat(33)] {
        assert_eq!(
            refused(called(name, ISSUER)),
            Some(IssuerConfigError::BadName(named())),
            "{name}"
        );
    }
}

#[test]
fn what_is_said_of_an_issuer_fits_together() {
    let refused = |change: &dyn Fn(&mut IssuerConfig)| {
        let mut config = config(KeySource::Url(KEYS.to_owned()));
        change(&mut config);
        let net = Arc::new(Net::default());
        Issuers::new(vec![config], net, Hands::at(0)).err()
    };
    let sign_in = || Some(sign_in_at("https://app.example/.wardwire/callback"));
    let asked = || {
        Some(IntrospectionConfig {
            endpoint: None,
            client_id: "gate".to_owned(),
            authentication: ClientAuthentication::Post("s".into()),
            cache: Duration::ZERO,
            recheck: None,
        })
    };
    let named = || ISSUER.to_owned();
    // Who has no users needs nothing that is about them.
    let only = IssuerConfigError::GrantsOnly(named());
    let told = refused(&|it| (it.signs, it.sign_in) = (Signs::Grants, sign_in()));
    assert_eq!(told.as_ref(), Some(&only));
    let told = refused(&|it| (it.signs, it.introspection) = (Signs::Grants, asked()));
    assert_eq!(told, Some(only));
    // ID tokens mean the client; access tokens and grants mean us by a name that has to be told.
    let nobody = || Audience::new([] as [&str; 0]);
    let told = refused(&|it| (it.sign_in, it.audience) = (sign_in(), nobody()));
    assert_eq!(told, None);
    let told = refused(&|it| {
        (it.sign_in, it.audience, it.signs) = (sign_in(), nobody(), Signs::Both);
    });
    assert_eq!(told, Some(IssuerConfigError::NoAudience(named())));
    let told = refused(&|it| {
        (it.sign_in, it.audience, it.introspection) = (sign_in(), nobody(), asked());
    });
    assert!(
        matches!(&told, Some(IssuerConfigError::Asking { cause, .. }) if cause.contains("audience")),
        "{told:?}"
    );
    let open = || "http://id.example".to_owned();
    let told = refused(&|it| (it.sign_in, it.issuer) = (sign_in(), open()));
    assert_eq!(told, Some(IssuerConfigError::SignIn(open())));
    assert_eq!(refused(&|it| it.issuer = open()), None, "nobody goes there");
    let told = refused(&|it| {
        it.profile = Profile::Jwt(Discriminator {
            claim: String::new(),
            equals: "web".to_owned(),
        });
    });
    assert_eq!(told, Some(IssuerConfigError::EmptyDiscriminator(named())));
}
