//! Real balancers in front of a server, with the very lines that the documentation gives. They are ignored by default, as
//! HAProxy and nginx have to be there: `cargo xtask test balancers`.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::harness::{Connection, Handshake, PATIENCE, Server, Setup, Ws, tcp_from, tls};

const CERTIFICATE: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
const ENDED: &str = "hosts = [\"localhost\"]\ntls = { terminated_by = [\"127.0.0.1\"] }";
const INTRODUCED: &str = "proxy_protocol = { from = [\"127.0.0.1\"] }";
/// Clients come from here; balancers from 127.0.0.1.
const CLIENT: [u8; 4] = [127, 0, 0, 9];

fn passing_through() -> Server {
    Setup::new().server(INTRODUCED).start()
}

/// A server whose TLS ends before it.
fn ended(setup: Setup) -> Server {
    let config = setup.config().replace(CERTIFICATE, ENDED);
    assert!(config.contains(ENDED));
    setup.start_with(&config)
}

/// The indented lines behind this one in the documentation, for this server.
fn documented(title: &str, server: &Server) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/network.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, after) = page.split_once(&format!("\n{title}:\n\n")).unwrap();
    let lines = after
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    let text = lines.collect::<Vec<_>>().join("\n");
    assert!(text.contains("10.0.2.5:8443"), "{text}");
    text.replace("10.0.2.5:8443", &server.address.to_string())
}

/// A running balancer. Dropping it ends the process.
struct Balancer {
    child: Child,
    /// Where clients come under TLS, its own or that of the server.
    secure: SocketAddr,
    /// Where they come in the clear.
    plain: SocketAddr,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Balancer {
    /// Starts one on two free ports; somebody else may take one between the look and the start.
    fn start(command: impl Fn(SocketAddr, SocketAddr) -> Command) -> Self {
        let started = (0..5).find_map(|_| {
            let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
            let [secure, plain] = free.map(|it| it.local_addr().unwrap());
            let mut command = command(secure, plain);
            let child = command.stdout(Stdio::null()).spawn().unwrap();
            Self {
                child,
                secure,
                plain,
            }
            .listening()
        });
        started.expect("the balancer starts; its errors are above")
    }

    fn listening(mut self) -> Option<Self> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let open = [self.secure, self.plain].map(TcpStream::connect);
            if open.iter().all(Result::is_ok) {
                return Some(self);
            }
            if self.child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        None
    }

    /// HAProxy with these lines behind both ports.
    fn haproxy(server: &Server, mode: &str, ends_tls: bool, lines: &str) -> Self {
        let folder = server.folder.clone();
        let both = ["cert.pem", "key.pem"].map(|it| fs::read_to_string(folder.join(it)).unwrap());
        fs::write(folder.join("both.pem"), both.concat()).unwrap();
        let ends_tls = match ends_tls {
            true => format!("ssl crt {}", folder.join("both.pem").display()),
            false => String::new(),
        };
        Self::start(|secure, plain| {
            let config = folder.join("haproxy.cfg");
            let text = format!(
                "defaults\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
                 listen wardwire\n    mode {mode}\n    bind {secure} {ends_tls}\n    bind {plain}\n{lines}\n"
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new("haproxy");
            command.args(["-db", "-q", "-f"]).arg(config);
            command
        })
    }

    /// nginx with a part of its own for `http` or `stream`, which has the two ports in place of 443.
    fn nginx(server: &Server, part: &str, lines: &str) -> Self {
        let folder = server.folder.clone();
        let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
        let (module, own) = match part {
            "stream" if Path::new(module).exists() => {
                (format!("load_module {module};"), String::new())
            }
            "stream" => (String::new(), String::new()),
            _ => {
                let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let paths =
                    kinds.map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()));
                (
                    String::new(),
                    format!("access_log off;\n{}", paths.concat()),
                )
            }
        };
        Self::start(|secure, plain| {
            let config = folder.join("nginx.conf");
            let tls = if lines.contains("listen 443 ssl;") {
                " ssl"
            } else {
                ""
            };
            let listen = format!("listen {secure}{tls}; listen {plain};");
            let lines = lines.replace(&format!("listen 443{tls};"), &listen);
            assert!(lines.contains(&listen), "{lines}");
            let text = format!(
                "{module}\ndaemon off;\nmaster_process off;\nerror_log stderr;\npid {}/nginx.pid;\n\
                 events {{}}\n{part} {{\n{own}{lines}\n}}\n",
                folder.display()
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new("nginx");
            command.args(["-e", "stderr", "-c"]).arg(config);
            command
        })
    }

    /// A client's connection under TLS.
    fn connect(&self, server: &Server) -> Connection {
        Connection::through(tcp_from(CLIENT, self.secure), tls(server), "localhost")
    }

    fn connect_in_the_clear(&self) -> Connection {
        Connection::on(tcp_from(CLIENT, self.plain))
    }
}

/// A client that lies about itself, in every field that might be believed.
fn liar(path: &str) -> Handshake {
    Handshake::new(path)
        .with("X-Forwarded-For", "198.51.100.1")
        .with("X-Forwarded-Proto", "https")
        .with("X-Real-IP", "198.51.100.1")
        .with("Forwarded", "for=198.51.100.1;proto=https")
}

/// That sockets work through it, and that the client is written down for who it is.
fn serves(server: &Server, balancer: &Balancer) {
    let mut connection = balancer.connect(server);
    let handshake = Handshake::new("/echo").without("Sec-WebSocket-Protocol");
    connection.send(handshake.text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 101, "{response:?}");
    let mut ws = Ws::new(connection);
    for text in ["hi", &"x".repeat(60_000)] {
        ws.text(text);
        assert_eq!(ws.next().unwrap().payload, text.as_bytes());
    }
}

/// That a client that lies about its address is written down by its own.
fn sees_through_lies(server: &Server, balancer: &Balancer) {
    let mut connection = balancer.connect(server);
    connection.send(liar("/native").text().as_bytes());
    assert_eq!(connection.response().status, 401);
    assert_eq!(server.refused("credential-missing")["peer"], "127.0.0.9");
}

/// That a client that comes in the clear is refused, whatever it says.
fn refuses_the_clear(server: &Server, balancer: &Balancer, detail: &str) {
    let mut connection = balancer.connect_in_the_clear();
    let lies = liar("/echo").without("Sec-WebSocket-Protocol");
    connection.send(lies.text().as_bytes());
    assert_eq!(connection.response().status, 403);
    let event = server.refused("not-over-tls");
    assert_eq!(
        (&event["peer"], &event["detail"]),
        (&"127.0.0.9".into(), &detail.into())
    );
}

#[test]
#[ignore = "needs HAProxy: cargo xtask test balancers"]
fn haproxy_passes_tls_through() {
    let server = passing_through();
    let lines = documented("HAProxy, in `mode tcp`", &server);
    let balancer = Balancer::haproxy(&server, "tcp", false, &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
}

#[test]
#[ignore = "needs HAProxy: cargo xtask test balancers"]
fn haproxy_ends_tls() {
    let server = ended(Setup::new());
    let lines = documented("HAProxy, in `mode http`", &server);
    let balancer = Balancer::haproxy(&server, "http", true, &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
    refuses_the_clear(&server, &balancer, "X-Forwarded-Proto is not https");
}

#[test]
#[ignore = "needs HAProxy: cargo xtask test balancers"]
fn haproxy_ends_tls_and_knows_no_http() {
    let server = ended(Setup::new().server(INTRODUCED));
    let lines = documented("HAProxy, in `mode tcp` with TLS", &server);
    let balancer = Balancer::haproxy(&server, "tcp", true, &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
    refuses_the_clear(&server, &balancer, "the PROXY protocol header says so");
}

#[test]
#[ignore = "needs nginx: cargo xtask test balancers"]
fn nginx_ends_tls() {
    let server = ended(Setup::new());
    let lines = documented("nginx, in `http`", &server);
    let lines = ["cert.pem", "key.pem"].iter().fold(lines, |lines, file| {
        lines.replace(file, server.folder.join(file).to_str().unwrap())
    });
    let balancer = Balancer::nginx(&server, "http", &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
    refuses_the_clear(&server, &balancer, "X-Forwarded-Proto is not https");
}

#[test]
#[ignore = "needs nginx: cargo xtask test balancers"]
fn nginx_passes_tls_through() {
    let server = passing_through();
    let lines = documented("nginx, in `stream`", &server);
    let balancer = Balancer::nginx(&server, "stream", &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
}

#[test]
#[ignore = "needs nginx: cargo xtask test balancers"]
fn nginx_that_knows_no_http_cannot_say_that_a_client_came_over_tls() {
    let server = ended(Setup::new().server(INTRODUCED));
    let lines = documented("nginx, in `stream`", &server);
    let balancer = Balancer::nginx(&server, "stream", &lines);
    refuses_the_clear(&server, &balancer, "the PROXY protocol header does not say");
}
