//! The provider: a process of Node's, with a certificate of the test's own authority.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{Connection, Response, Server, Setup, secret, tcp, tls};

/// A running provider. Dropping it ends the process.
pub(crate) struct Provider {
    child: Child,
    pub(crate) port: u16,
    pub(crate) issuer: String,
}

/// Of each client that has one.
pub(crate) const SECRET: &str = "a secret: of+the client/ that%must be encoded";
/// Where it sends browsers back to.
pub(crate) const CALLBACK: &str = "https://localhost/.wardwire/callback";
pub(crate) const GOODBYE: &str = "https://app.localhost/bye";

/// A folder with the key of the client `key`.
pub(crate) fn with_key() -> Setup {
    let mut setup = Setup::new();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = pair.serialize_pem();
    secret(&setup.folder.join("client.pem"), &pem);
    setup.issuer.key = jsonwebtoken::EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    setup
}

impl Provider {
    /// With the clients `basic`, `post`, `key` (which signs with the folder's `client.pem`), `public`, `nameless`, and `app`,
    /// an application of somebody else's.
    pub(crate) fn start(setup: &Setup) -> Self {
        let client = |id: &str, method: &str, more: Value| {
            let mut client = json!({
                "client_id": id,
                "token_endpoint_auth_method": method,
                "redirect_uris": [CALLBACK],
                "post_logout_redirect_uris": [GOODBYE],
                "response_types": ["code"],
                "grant_types": ["authorization_code"],
                "id_token_signed_response_alg": "ES256",
                "backchannel_logout_uri": "https://localhost/.wardwire/backchannel-logout",
                "backchannel_logout_session_required": true,
            });
            let members = more.as_object().unwrap().clone();
            client.as_object_mut().unwrap().extend(members);
            client
        };
        let of_key =
            json!({ "jwks": setup.issuer.jwks(), "token_endpoint_auth_signing_alg": "ES256" });
        let given = json!({
            "certificate": setup.folder.join("cert.pem"),
            "key": setup.folder.join("key.pem"),
            "clients": [
                client("basic", "client_secret_basic", json!({ "client_secret": secret_of() })),
                client("post", "client_secret_post", json!({ "client_secret": secret_of() })),
                client("key", "private_key_jwt", of_key),
                client("public", "none", json!({})),
                // Its ID tokens have no `sid`.
                client("nameless", "client_secret_basic", json!({
                    "client_secret": secret_of(),
                    "backchannel_logout_session_required": false,
                })),
                client("app", "client_secret_basic", json!({
                    "client_secret": secret_of(),
                    "redirect_uris": ["https://app.localhost/back"],
                    "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                })),
            ],
        });
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let log = fs::File::create(setup.folder.join("provider.log")).unwrap();
        let mut child = Command::new("node")
            .arg("tests/identity/provider/provider.mjs")
            .arg(given.to_string())
            .current_dir(root)
            .env("NODE_EXTRA_CA_CERTS", setup.folder.join("ca.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = said.next().map(|line| line.unwrap()).unwrap_or_default();
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| {
            let log = fs::read_to_string(setup.folder.join("provider.log")).unwrap();
            panic!("the provider did not start: {log}")
        });
        let port = u16::try_from(said["port"].as_u64().unwrap()).unwrap();
        Self {
            child,
            port,
            issuer: format!("https://localhost:{port}"),
        }
    }

    /// A server at which browsers sign in there, as this client and with these lines more.
    pub(crate) fn server_as(&self, setup: Setup, client: &str, more: &str) -> Server {
        self.server_with(setup, client, "", more)
    }

    /// The same, which takes its access tokens too.
    pub(crate) fn server_and_audience(&self, setup: Setup, client: &str, more: &str) -> Server {
        self.server_with(setup, client, "audience = \"wardwire\"", more)
    }

    fn server_with(&self, setup: Setup, client: &str, tokens: &str, more: &str) -> Server {
        let server = self.configured(setup, client, tokens, more).start();
        let address = format!("https://localhost:{}", server.address.port());
        self.control(&server, &json!({ "relyingParty": address }));
        server
    }

    /// With these lines of the issuer and of its sign-in.
    pub(crate) fn configured(
        &self,
        mut setup: Setup,
        client: &str,
        tokens: &str,
        more: &str,
    ) -> Setup {
        secret(
            &setup.folder.join("client.secret"),
            &format!("{}\n", secret_of()),
        );
        let proof = match client {
            "basic" | "nameless" => "client_secret_file = \"client.secret\"",
            "post" => "client_auth = \"post\"\nclient_secret_file = \"client.secret\"",
            "key" => {
                "client_auth = \"private_key\"\nclient_key_file = \"client.pem\"\nclient_key_id = \"k1\""
            }
            _ => "client_auth = \"none\"",
        };
        setup.issuers = format!(
            "[[issuer]]\nissuer = \"{}\"\nca = \"ca.pem\"\n{tokens}\n[issuer.sign_in]\nclient_id = \"{client}\"\n{proof}\n\
             callback = \"{CALLBACK}\"\nafter_logout = \"{GOODBYE}\"\n{more}\n",
            self.issuer
        );
        setup
    }

    /// A server that asks it about opaque tokens, as this client and with these lines more.
    pub(crate) fn asked_by(&self, mut setup: Setup, client: &str, more: &str) -> Server {
        secret(&setup.folder.join("client.secret"), &secret_of());
        let proof = match client {
            "key" => {
                "client_auth = \"private_key\"\nclient_key_file = \"client.pem\"\nclient_key_id = \"k1\""
            }
            "post" => "client_auth = \"post\"\nclient_secret_file = \"client.secret\"",
            _ => "client_secret_file = \"client.secret\"",
        };
        setup.issuers = format!(
            "[[issuer]]\nissuer = \"{}\"\naudience = \"wardwire\"\nca = \"ca.pem\"\n\
             [issuer.introspection]\nclient_id = \"{client}\"\n{proof}\n{more}\n",
            self.issuer
        );
        setup.start()
    }

    /// An opaque access token of somebody's.
    pub(crate) fn opaque(&self, server: &Server, account: &str) -> String {
        self.issue(server, &json!({ "account": account }))
    }

    pub(crate) fn issue(&self, server: &Server, wanted: &Value) -> String {
        let issued = self.control(server, &json!({ "issue": wanted }));
        issued["token"].as_str().unwrap().to_owned()
    }

    /// How often it was asked about one.
    pub(crate) fn introspections(&self, server: &Server) -> u64 {
        let seen = self.control(server, &json!({}));
        seen["introspection"].as_u64().unwrap()
    }

    /// The usual pair.
    pub(crate) fn and_server() -> (Self, Server) {
        let setup = Setup::new();
        let provider = Self::start(&setup);
        let server = provider.server_as(setup, "basic", "");
        (provider, server)
    }

    /// Tells it what the test wants of it, and asks what it has seen.
    pub(crate) fn control(&self, server: &Server, wanted: &Value) -> Value {
        let body = wanted.to_string();
        let length = body.len();
        let request = format!(
            "POST /control HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: {length}\r\n\r\n{body}",
            self.port
        );
        self.ask(server, &request).json()
    }

    /// A token that it signs, or that a stranger does.
    pub(crate) fn sign(&self, server: &Server, header: &Value, claims: &Value, by: &str) -> String {
        let wanted = json!({ "sign": { "header": header, "claims": claims, "by": by } });
        self.control(server, &wanted)["token"]
            .as_str()
            .unwrap()
            .into()
    }

    pub(crate) fn ask(&self, server: &Server, request: &str) -> Response {
        let tcp = tcp(([127, 0, 0, 1], self.port).into());
        let mut connection = Connection::through(tcp, tls(server), "localhost");
        connection.send(request.as_bytes());
        connection.response()
    }

    /// It is gone.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Without the space, which a file of one line may not hold.
pub(crate) fn secret_of() -> String {
    SECRET.replace(' ', "_")
}
