//! Under a service manager: inherited sockets, readiness, watchdog.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    os::{
        fd::AsRawFd as _,
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddress, UnixDatagram},
    },
};

use crate::harness::{Connection, PATIENCE, Server, Setup, Ws};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// How many of the server's event loops wait for this socket, `socket:[INODE]`.
fn waiting_for(server: &Server, socket: &str) -> usize {
    let inode: u64 = socket
        .trim_matches(|it: char| !it.is_ascii_digit())
        .parse()
        .unwrap();
    let waited = format!(" ino:{inode:x} ");
    let infos = std::fs::read_dir(server.proc("fdinfo")).unwrap();
    let texts = infos.map(|info| std::fs::read_to_string(info.unwrap().path()).unwrap_or_default());
    // A loop may be held by two descriptors of its own; its part in the socket is one.
    let mut parts = std::collections::BTreeSet::new();
    for text in texts {
        let lines = text.lines().filter(|line| line.contains(&waited));
        parts.extend(lines.filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)));
    }
    parts.len()
}

/// What the manager is told next.
fn told(manager: &UnixDatagram) -> String {
    let mut datagram = [0; 1024];
    let length = manager.recv(&mut datagram).unwrap();
    String::from_utf8(datagram[..length].to_vec()).unwrap()
}

#[test]
fn an_inherited_socket_is_served_by_every_core() {
    let (public, address) = listener();
    let inode = std::fs::read_link(format!("/proc/self/fd/{}", public.as_raw_fd())).unwrap();
    // Somebody knocks before the server is there.
    let early = std::net::TcpStream::connect(address).unwrap();
    let setup = Setup::new()
        .server("threads = 3\n")
        .environment("LISTEN_FDNAMES", "public")
        .socket(public);
    let server = setup.start();
    assert_eq!(server.address, address);
    let begun = std::time::Instant::now();
    while waiting_for(&server, inode.to_str().unwrap()) != 3 {
        assert!(begun.elapsed() < PATIENCE, "not every core waits for it");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut connection = Connection::through(early, crate::harness::tls(&server), "localhost");
    connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(connection.response().status, 404);
    let mut sockets: Vec<Ws> = (0..60).map(|_| server.echo()).collect();
    for ws in &mut sockets {
        ws.text("hi");
        assert_eq!(ws.next().unwrap().payload, b"hi");
    }
    server.assert_rests();
}

#[test]
fn each_listener_has_its_socket_by_name() {
    let (admin, admin_address) = listener();
    let (redirect, redirect_address) = listener();
    let server = Setup::new()
        .server("redirect = \"127.0.0.1:1\"")
        .environment("LISTEN_FDNAMES", "redirect:admin")
        .socket(redirect)
        .socket(admin)
        .start();
    assert_eq!(server.admin, admin_address);
    assert_eq!(server.redirect, Some(redirect_address));
    assert_eq!(server.admin("GET", "/metrics", "").status, 200);
    let mut plain = Connection::plain(redirect_address);
    plain.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(plain.response().status, 308);
    server.echo();
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    // Another's, and nobody's.
    for process in ["1", ""] {
        let (public, address) = listener();
        let server = Setup::new()
            .environment("LISTEN_FDNAMES", "public")
            .environment("LISTEN_PID", process)
            .socket(public)
            .start();
        assert_ne!(server.address, address, "{process:?}");
        server.echo();
    }
}

/// What a server says that does not start.
fn refused(setup: &Setup, config: &str) -> String {
    let output = setup.command(config).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn sockets_that_fit_nowhere_are_refused() {
    let setup = |names: &str| Setup::new().environment("LISTEN_FDNAMES", names);
    for (names, says) in [
        (
            "wardwire.socket",
            "set FileDescriptorName= to public, client-certificates, admin or redirect",
        ),
        (
            "",
            "set FileDescriptorName= to public, client-certificates, admin or redirect",
        ),
        ("redirect", "the configuration has no server.redirect"),
        (
            "client-certificates",
            "the configuration has no [server.client_certificates]",
        ),
    ] {
        let setup = setup(names).socket(listener().0);
        let text = refused(&setup, &setup.config());
        assert!(text.contains(says), "{names}: {text}");
    }
    let twice = setup("admin:admin")
        .socket(listener().0)
        .socket(listener().0);
    let text = refused(&twice, &twice.config());
    assert!(text.contains("there are two of this name"), "{text}");
    let udp = setup("public").socket(UdpSocket::bind("127.0.0.1:0").unwrap());
    let text = refused(&udp, &udp.config());
    assert!(text.contains("is not a valid tcp socket"), "{text}");
    let (listening, address) = listener();
    let connected = setup("public").socket(std::net::TcpStream::connect(address).unwrap());
    let text = refused(&connected, &connected.config());
    assert!(text.contains("it does not listen"), "{text}");
    drop(listening);
}

#[test]
fn an_inherited_admin_socket_is_held_to_the_same_rules() {
    let wide = TcpListener::bind("0.0.0.0:0").unwrap();
    let setup = Setup::new()
        .environment("LISTEN_FDNAMES", "admin")
        .socket(wide);
    let text = refused(&setup, &setup.config());
    assert!(text.contains("it is not on a loopback address"), "{text}");
    let setup = Setup::new()
        .environment("LISTEN_FDNAMES", "admin")
        .socket(listener().0);
    let config = setup.config().replace(
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n",
        "",
    );
    let text = refused(&setup, &config);
    assert!(text.contains("the configuration has no [admin]"), "{text}");
}

#[test]
fn the_manager_hears_of_readiness_of_life_and_of_the_end() {
    let setup = Setup::new();
    let path = setup.folder.join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = setup
        .environment("NOTIFY_SOCKET", path.to_str().unwrap())
        .environment("WATCHDOG_USEC", "200000")
        .start();
    let ready = told(&manager);
    assert!(
        ready.starts_with("READY=1\nSTATUS=listening on 127.0.0.1:"),
        "{ready}"
    );
    server.echo();
    for _ in 0..3 {
        assert_eq!(told(&manager), "WATCHDOG=1");
    }
    server.terminate();
    let last = loop {
        match told(&manager) {
            alive if alive == "WATCHDOG=1" => {}
            other => break other,
        }
    };
    assert!(last.starts_with("STOPPING=1\n"), "{last}");
    assert!(server.wait().success());
}

/// As systemd wants it of `Type=notify-reload`: RELOADING=1 with the time, after the signal; then READY=1.
#[test]
fn the_manager_hears_of_each_reload_and_of_what_came_of_it() {
    let setup = Setup::new().server("watch = false");
    let path = setup.folder.join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = setup
        .environment("NOTIFY_SOCKET", path.to_str().unwrap())
        .start();
    assert!(told(&manager).starts_with("READY=1\n"));
    let clock = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        u64::try_from(now.tv_sec).unwrap() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap() / 1000
    };
    let reload = |outcome: &str| {
        let before = clock();
        server.hangup();
        let begun = told(&manager);
        let time = begun.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let time = time.and_then(|rest| rest.split('\n').next()).unwrap();
        assert!(
            (before..=clock()).contains(&time.parse().unwrap()),
            "{begun}"
        );
        let done = told(&manager);
        assert!(
            done.starts_with(&format!("READY=1\nSTATUS={outcome}")),
            "{done}"
        );
    };
    reload("unchanged");
    let config = server.folder.join("wardwire.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("drain", "drian")).unwrap();
    reload("not reloaded: 1 problems");
    std::fs::write(&config, text.replace("drain = \"5s\"", "drain = \"4s\"")).unwrap();
    reload("reloaded");
}

#[test]
fn an_abstract_socket_hears_too_and_without_a_watchdog_only_the_beginning_and_the_end() {
    let name = format!("wardwire-test-{}", std::process::id());
    let address = UnixAddress::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = Setup::new()
        .environment("NOTIFY_SOCKET", &format!("@{name}"))
        // Another's.
        .environment("WATCHDOG_USEC", "1000")
        .environment("WATCHDOG_PID", "1")
        .start();
    assert!(told(&manager).starts_with("READY=1\n"));
    // The thread that answers would have told of life before.
    assert_eq!(server.admin("GET", "/metrics", "").status, 200);
    server.terminate();
    assert!(told(&manager).starts_with("STOPPING=1\n"));
    assert!(server.wait().success());
}

#[test]
fn a_manager_that_reads_nothing_holds_nobody_up() {
    let setup = Setup::new();
    let path = setup.folder.join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = setup
        .environment("NOTIFY_SOCKET", path.to_str().unwrap())
        .environment("WATCHDOG_USEC", "40000")
        .start();
    assert!(told(&manager).starts_with("READY=1\n"));
    // From now on its queue is full.
    let crowd = UnixDatagram::unbound().unwrap();
    crowd.set_nonblocking(true).unwrap();
    while crowd.send_to(b"X", &path).is_ok() {}
    // Operators and signals share a thread with what it is told.
    for _ in 0..20 {
        assert_eq!(server.admin("GET", "/metrics", "").status, 200);
    }
    server.terminate();
    assert!(server.wait().success());
}

#[test]
fn sockets_from_another_descriptor_on_are_refused() {
    let setup = Setup::new()
        .environment("LISTEN_FDNAMES", "public")
        .environment("LISTEN_FDS_FIRST_FD", "4")
        .socket(listener().0);
    let text = refused(&setup, &setup.config());
    assert!(text.contains("LISTEN_FDS_FIRST_FD is set"), "{text}");
}

#[test]
fn a_count_of_sockets_that_cannot_be_is_refused() {
    for count in ["many", "-1", "2000000000", "18446744073709551616"] {
        let setup = Setup::new()
            .environment("LISTEN_FDNAMES", "public")
            .environment("LISTEN_FDS", count)
            .socket(listener().0);
        let text = refused(&setup, &setup.config());
        assert!(text.contains("LISTEN_FDS"), "{count}: {text}");
    }
}
