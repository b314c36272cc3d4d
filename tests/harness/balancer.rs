//! Real balancers in front of a server: HAProxy and nginx, with the very lines that the documentation gives.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::PATIENCE;

/// What stands between clients and every server under test: `TESTED_BEHIND` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// HAProxy, which ends TLS and hands on every byte under it.
    HaproxyTcp,
    /// HAProxy, which ends TLS and reads HTTP.
    HaproxyHttp,
    /// nginx, which does the same.
    NginxHttp,
    /// nginx, which ends TLS, knows no HTTP, and takes every byte on under TLS of its own.
    NginxStream,
}

const TLS_HERE: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
/// The balancer's own address; clients come from 127.0.0.1.
const BALANCER: &str = "127.0.0.2";

impl Behind {
    pub(crate) fn chosen() -> Option<Self> {
        match env::var("TESTED_BEHIND").as_deref() {
            Ok("haproxy-tcp") => Some(Self::HaproxyTcp),
            Ok("haproxy-http") => Some(Self::HaproxyHttp),
            Ok("nginx-http") => Some(Self::NginxHttp),
            Ok("nginx-stream") => Some(Self::NginxStream),
            Ok(other) => panic!("TESTED_BEHIND: {other}?"),
            Err(_) => None,
        }
    }

    /// Whether it reads requests, and answers what it does not like itself.
    pub(crate) fn reads_http(self) -> bool {
        matches!(self, Self::HaproxyHttp | Self::NginxHttp)
    }

    /// The configuration of a server that ends TLS, as one behind this. None if it has something else in mind.
    pub(super) fn configured(self, config: &str) -> Option<String> {
        let own = config.contains(TLS_HERE) && !config.contains("proxy_protocol");
        let mut ended = match self {
            Self::NginxStream => TLS_HERE.to_owned(),
            _ => format!("tls = {{ terminated_by = [\"{BALANCER}\"] }}"),
        };
        if !self.reads_http() {
            ended += &format!("\nproxy_protocol = {{ from = [\"{BALANCER}\"] }}");
        }
        if !config.contains("hosts = ") {
            ended += "\nhosts = [\"localhost\", \"other.localhost\", \"127.0.0.1\"]";
        }
        own.then(|| config.replacen(TLS_HERE, &ended, 1))
    }

    /// Starts it in front of a server, by the documentation's own lines.
    pub(super) fn start(self, folder: &Path, server: SocketAddr) -> Balancer {
        match self {
            Self::HaproxyTcp => {
                let lines = documented("HAProxy, in `mode tcp` with TLS", server);
                Balancer::haproxy(folder, "tcp", true, &format!("{lines} source {BALANCER}"))
            }
            Self::HaproxyHttp => {
                let lines = documented("HAProxy, in `mode http`", server);
                let lines = lines.trim_end();
                Balancer::haproxy(folder, "http", true, &format!("{lines} source {BALANCER}"))
            }
            Self::NginxHttp => {
                let lines = in_folder(folder, &documented("nginx, in `http`", server));
                let from = format!("location / {{ proxy_bind {BALANCER};");
                Balancer::nginx(folder, "http", &lines.replace("location / {", &from))
            }
            Self::NginxStream => {
                let lines = documented("nginx, in `stream` with TLS", server);
                let from = format!("proxy_bind {BALANCER}; proxy_pass");
                let lines = in_folder(folder, &lines).replace("proxy_pass", &from);
                Balancer::nginx(folder, "stream", &lines)
            }
        }
    }
}

/// The lines with their files in this folder.
pub(crate) fn in_folder(folder: &Path, lines: &str) -> String {
    ["cert.pem", "key.pem", "ca.pem"]
        .iter()
        .fold(lines.to_owned(), |lines, file| {
            let path = folder.join(file);
            lines.replace(&format!(" {file}"), &format!(" {}", path.display()))
        })
}

/// The indented lines behind this one in the documentation, for this server.
pub(crate) fn documented(title: &str, server: SocketAddr) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/network.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, after) = page.split_once(&format!("\n{title}:\n\n")).unwrap();
    let lines = after
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    let text = lines.collect::<Vec<_>>().join("\n");
    assert!(text.contains("10.0.2.5:8443"), "{text}");
    text.replace("10.0.2.5:8443", &server.to_string())
}

/// A running balancer. Dropping it ends the process.
pub(crate) struct Balancer {
    child: Child,
    /// Where clients come under TLS, its own or that of the server.
    pub(crate) secure: SocketAddr,
    /// Where they come in the clear.
    pub(crate) plain: SocketAddr,
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
            // It listens on both before it answers on either.
            if TcpStream::connect(self.secure).is_ok() {
                return Some(self);
            }
            if self.child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// HAProxy with these lines behind both ports.
    pub(crate) fn haproxy(folder: &Path, mode: &str, ends_tls: bool, lines: &str) -> Self {
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
    pub(crate) fn nginx(folder: &Path, part: &str, lines: &str) -> Self {
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
}
