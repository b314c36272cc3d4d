//! Each block of configuration in the guides is taken as it stands.

use std::{fs, path::Path};

use super::parse;

/// What no guide repeats.
const REST: &str = r#"
[server]
listen = "127.0.0.1:0"
hosts = ["live.example.com", "app.example.com"]
origins = ["https://app.example.com"]
tls = { cert = "cert.pem", key = "key.pem" }
[[route]]
path = "/live"
"#;

fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let opened = text.split("```toml\n").skip(1);
    opened.map(|rest| rest.split_once("```").unwrap().0)
}

#[test]
fn every_configuration_in_the_guides_is_accepted() {
    let mut seen = 0;
    for folder in ["identity", "operations"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(folder);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            for block in blocks(&text) {
                let mut whole = format!("{block}{REST}");
                if !block.contains("[[issuer]]") && !block.contains("[forward_auth]") {
                    whole += "[[issuer]]\nissuer = \"https://id.example.com\"\naudience = \"wardwire\"\n";
                }
                if let Err(problems) = parse(&whole) {
                    panic!("{}:\n{block}{problems}", path.display());
                }
                seen += 1;
            }
        }
    }
    assert!(seen >= 13, "{seen} blocks");
}
