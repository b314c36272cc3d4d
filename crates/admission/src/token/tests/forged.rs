//! Tokens that nobody we trust has signed, or not in the way we trust.

use aws_lc_rs::hmac;
use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn attack_024_no_algorithm_is_no_signature() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    for alg in [
        "none", "None", "NoNe", "NONE", "", " none", "es256", "ES256 ", "HS256", "RS1",
    ] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": "a"});
        let signed = signer.sign_under(&header, &claims());
        let (bare, _) = signed.rsplit_once('.').unwrap();
        for token in [signed.clone(), format!("{bare}.")] {
            assert_eq!(
                reason(&issuers, &token).await,
                Some(Reason::TokenAlgorithm),
                "{alg:?}"
            );
        }
    }
    for alg in [json!(null), json!(["ES256"]), json!(1)] {
        let token = signer.sign_under(&json!({"alg": alg, "typ": "at+jwt"}), &claims());
        assert_eq!(
            reason(&issuers, &token).await,
            Some(Reason::TokenMalformed),
            "{alg}"
        );
    }
    let unsigned = signer.sign(&claims());
    let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
    assert_eq!(
        reason(&issuers, &format!("{unsigned}.")).await,
        Some(Reason::TokenMalformed)
    );
}

#[tokio::test]
async fn attack_025_hs256_keyed_with_the_public_key_is_refused() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let signer = Signer::new("a", algorithm);
        let issuers = trusting(&[&signer]);
        let jwk = signer.jwk();
        let mut secrets = vec![jwk.to_string().into_bytes(), key_set(&[&signer])];
        for member in ["n", "x", "y"] {
            let material = jwk.get(member).and_then(Value::as_str);
            secrets.extend(material.map(|text| text.as_bytes().to_vec()));
            secrets.extend(material.map(|text| URL_SAFE_NO_PAD.decode(text).unwrap()));
        }
        for secret in secrets {
            for alg in ["HS256", algorithm.as_str()] {
                let header = json!({"alg": alg, "typ": "at+jwt", "kid": "a"});
                let signed = format!(
                    "{}.{}",
                    encode(&header.to_string()),
                    encode(&claims().to_string())
                );
                let tag = hmac::sign(
                    &hmac::Key::new(hmac::HMAC_SHA256, &secret),
                    signed.as_bytes(),
                );
                let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
                let expected = if alg == "HS256" {
                    Reason::TokenAlgorithm
                } else {
                    Reason::TokenSignature
                };
                assert_eq!(reason(&issuers, &token).await, Some(expected));
            }
        }
    }
}

#[tokio::test]
async fn attack_025_a_published_symmetric_key_signs_nothing() {
    let secret =
        json!({"keys": [{"kty": "oct", "kid": "a", "k": encode("secret"), "alg": "HS256"}]});
    let refused = Issuers::new(
        vec![config(KeySource::Static(secret.to_string().into_bytes()))],
        Arc::new(Net::default()),
        Hands::at(0),
    );
    assert!(matches!(
        refused.err(),
        Some(IssuerConfigError::Keys { .. })
    ));
}

#[tokio::test]
async fn attack_026_a_key_id_is_opaque() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    let keys = config(KeySource::Url(KEYS.to_owned()));
    let issuers = Issuers::new(vec![keys], net.clone(), Hands::at(NOW * 1000)).unwrap();
    for kid in [
        "../../dev/null",
        "a' OR '1'='1",
        "https://evil.test/keys",
        "A",
        "a\0",
        "",
    ] {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid});
        let token = signer.sign_under(&header, &claims());
        assert_eq!(
            reason(&issuers, &token).await,
            Some(Reason::TokenKey),
            "{kid:?}"
        );
    }
    let long = json!({"alg": "ES256", "typ": "at+jwt", "kid": "a".repeat(257)});
    let token = signer.sign_under(&long, &claims());
    assert_eq!(reason(&issuers, &token).await, Some(Reason::TokenMalformed));
    assert_eq!(*net.asked.lock(), [KEYS]);
}

#[tokio::test]
async fn attack_027_a_token_cannot_bring_or_name_its_key() {
    let (ours, theirs) = (
        Signer::new("a", Algorithm::Es256),
        Signer::new("a", Algorithm::Es256),
    );
    let net = Net::serving(KEYS, key_set(&[&ours]));
    net.serve("https://evil.test/keys", key_set(&[&theirs]));
    let keys = config(KeySource::Url(KEYS.to_owned()));
    let issuers = Issuers::new(vec![keys], net.clone(), Hands::at(NOW * 1000)).unwrap();
    for (member, value) in [
        ("jku", json!("https://evil.test/keys")),
        ("x5u", json!("https://evil.test/keys")),
        ("jwk", theirs.jwk()),
        ("x5c", json!(["AAAA"])),
    ] {
        let mut header = ours.header();
        header[member] = value;
        let forged = theirs.sign_under(&header, &claims());
        assert_eq!(
            reason(&issuers, &forged).await,
            Some(Reason::TokenSignature),
            "{member}"
        );
        let honest = ours.sign_under(&header, &claims());
        assert_eq!(reason(&issuers, &honest).await, None, "{member}");
    }
    assert_eq!(*net.asked.lock(), [KEYS]);
}

#[tokio::test]
async fn attack_030_critical_extensions_are_refused() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!([]),
        json!("b64"),
        json!(null),
    ] {
        let mut header = signer.header();
        header["b64"] = json!(false);
        header["crit"] = crit;
        let token = signer.sign_under(&header, &claims());
        assert_eq!(reason(&issuers, &token).await, Some(Reason::TokenCritical));
    }
}

#[tokio::test]
async fn attack_032_a_token_ends_at_8_kib() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    let padded = |header: usize, claims: usize| {
        let mut head = signer.header();
        head["pad"] = json!("x".repeat(header));
        signer.sign_under(&head, &with(json!({"pad": "x".repeat(claims)})))
    };
    // Three bytes are four of base64 and one alone is two: some padding of both parts gives every length.
    let of = |length: usize| {
        let about = (length - padded(0, 0).len()) / 4 * 3;
        let near = (0..4).flat_map(|header| (about - 6..=about + 3).map(move |it| (header, it)));
        let mut near = near.map(|(header, claims)| padded(header, claims));
        near.find(|token| token.len() == length).unwrap()
    };
    assert_eq!(reason(&issuers, &of(8192)).await, None);
    let refused = reason(&issuers, &of(8193)).await;
    assert_eq!(refused, Some(Reason::TokenTooLarge));
}

#[tokio::test]
async fn attack_034_the_same_key_id_at_two_issuers_never_mixes() {
    let (ours, theirs) = (
        Signer::new("a", Algorithm::Es256),
        Signer::new("a", Algorithm::Es256),
    );
    let other = IssuerConfig {
        issuer: "https://other.example".to_owned(),
        name: Some("theirs".to_owned()),
        ..config(KeySource::Static(key_set(&[&theirs])))
    };
    let own = IssuerConfig {
        name: Some("ours".to_owned()),
        ..config(KeySource::Static(key_set(&[&ours])))
    };
    let configs = vec![own, other];
    let issuers = Issuers::new(configs, Arc::new(Net::default()), Hands::at(NOW * 1000)).unwrap();
    let elsewhere = with(json!({"iss": "https://other.example"}));
    assert_eq!(reason(&issuers, &ours.sign(&claims())).await, None);
    assert_eq!(reason(&issuers, &theirs.sign(&elsewhere)).await, None);
    assert_eq!(
        reason(&issuers, &theirs.sign(&claims())).await,
        Some(Reason::TokenSignature)
    );
    assert_eq!(
        reason(&issuers, &ours.sign(&elsewhere)).await,
        Some(Reason::TokenSignature)
    );
}

#[tokio::test]
async fn no_bit_of_a_token_may_change() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    let token = signer.sign(&claims());
    assert_eq!(reason(&issuers, &token).await, None);
    for at in 0..token.len() {
        for replacement in ["A", "-", ".", "=", "B"] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, replacement);
            if changed != token {
                assert!(issuers.verify(&changed).await.is_err(), "{at}: {changed}");
            }
        }
    }
    for spelt in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}="),
        format!("{token}."),
        format!("{token}.AAAA"),
        token.replace('.', ".."),
        token.replacen('.', "", 1),
    ] {
        assert_eq!(
            reason(&issuers, &spelt).await.map(Reason::status),
            Some(http::StatusCode::UNAUTHORIZED)
        );
    }
}

#[tokio::test]
async fn doubled_members_are_refused_in_header_and_payload() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    let (header, payload) = (signer.header().to_string(), claims().to_string());
    let doubled_header = header.replacen('{', r#"{"alg":"ES256","#, 1);
    let doubled_claims = payload.replacen('{', r#"{"sub":"mallory","#, 1);
    let nested = payload.replacen('{', r#"{"x":[{"a":1,"\u0061":2}],"#, 1);
    for (header, payload) in [
        (&doubled_header, &payload),
        (&header, &doubled_claims),
        (&header, &nested),
    ] {
        let token = signer.sign_raw(header, payload);
        assert_eq!(reason(&issuers, &token).await, Some(Reason::TokenMalformed));
    }
}

#[tokio::test]
async fn a_forger_learns_nothing_of_the_claims_we_want() {
    let (ours, forger) = (
        Signer::new("a", Algorithm::Es256),
        Signer::new("a", Algorithm::Es256),
    );
    let issuers = trusting(&[&ours]);
    for changes in [
        json!({}),
        json!({"aud": "other"}),
        json!({"exp": 1}),
        json!({"sub": null}),
        json!({"nonce": "x"}),
    ] {
        let token = forger.sign(&with(changes));
        assert_eq!(reason(&issuers, &token).await, Some(Reason::TokenSignature));
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_lets_anybody_in(
        text in "\\PC*",
        header in "\\PC{0,40}",
        payload in "\\PC{0,40}",
        signature in "[A-Za-z0-9_-]{0,90}",
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let issuers = Issuers::new(Vec::new(), Arc::new(Net::default()), Hands::at(0)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let raw = URL_SAFE_NO_PAD.encode(&bytes);
        for token in [
            format!("{}.{}.{signature}", encode(&header), encode(&payload)),
            format!("{raw}.{raw}.{raw}"),
            text,
        ] {
            prop_assert!(runtime.block_on(issuers.verify(&token)).is_err());
        }
        let _ = super::super::keys::KeySet::parse(&bytes);
    }
}
