//! `spec/openrpc.json` is what it says it is: an OpenRPC document, by OpenRPC's own schema, whose errors are the server's.

use boon::{Compiler, Schemas};
use serde_json::{Value, json};

use super::OWN_ERRORS;

const DOCUMENT: &str = include_str!("../../../../spec/openrpc.json");
/// `@open-rpc/meta-schema` 1.14.9 (Apache-2.0), as it was published.
const META: &str = include_str!("openrpc.schema.json");

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// OpenRPC's schema, but for the name that it has for JSON Schema's draft 7, which nobody is to fetch.
fn is_openrpc(document: &Value) -> bool {
    const NAME: &str = "https://meta.open-rpc.org/";
    const DRAFT: &str = "http://json-schema.org/draft-07/schema";
    let reference = "https://meta.json-schema.tools/#/definitions/JSONSchemaObject/properties/$ref";
    let meta = META.replace(reference, &format!("{DRAFT}#/properties/$ref"));
    let meta = meta.replace("https://meta.json-schema.tools/", DRAFT);
    let meta = meta.replace("https://meta.json-schema.tools", DRAFT);
    let meta: Value = serde_json::from_str(&meta).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(NAME, meta).unwrap();
    let own = compiler.compile(NAME, &mut schemas).unwrap();
    schemas.validate(document, own).is_ok()
}

#[test]
fn the_protocols_document_is_one_of_openrpc() {
    assert!(is_openrpc(&document()));
    for (place, wrong) in [
        ("/openrpc", json!("9")),
        ("/methods/0/params/0", json!({ "name": "channel" })),
        ("/methods/0/paramStructure", json!("by-magic")),
        ("/methods/0/params/0/schema", json!({ "type": "no such" })),
        ("/components/errors/PARSE", json!({ "code": "x" })),
    ] {
        let mut document = document();
        *document.pointer_mut(place).unwrap() = wrong;
        assert!(!is_openrpc(&document), "{place}");
    }
}

#[test]
fn the_documents_errors_are_the_servers_own() {
    let document = document();
    let errors = document["components"]["errors"].as_object().unwrap();
    assert_eq!(errors.len(), OWN_ERRORS.len());
    for own in OWN_ERRORS {
        let known = errors.values().find(|error| error["code"] == own.code);
        let known = known.unwrap_or_else(|| panic!("{} is missing", own.word));
        assert_eq!(known["message"], own.message);
        assert_eq!(known["data"]["word"], own.word);
    }
}
