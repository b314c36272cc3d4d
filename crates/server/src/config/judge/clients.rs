//! `[server.client_certificates]`, and the routes that ask for one.

use super::{super::clients, Judge};

const TABLE: &str = "server.client_certificates";

pub(super) fn judge(judge: &mut Judge<'_>) {
    let file = judge.file;
    let Some(wanted) = &file.server.client_certificates else {
        routes(judge);
        return;
    };
    let tls = file.server.tls.as_ref();
    if tls.is_some_and(|tls| tls.terminated_by.is_some()) {
        judge.refuse(
            TABLE,
            "server.client_certificates where a balancer ends TLS: whether a client has its certificate's key can only be seen where TLS ends",
            "Give the server a certificate of its own (cert and key), and let the balancer pass TLS through; or drop it.",
        );
    }
    let same = |other: std::net::SocketAddr| other == wanted.listen && other.port() != 0;
    let server = &file.server;
    let others = [
        ("server.listen", Some(server.listen)),
        ("server.redirect", server.redirect),
        ("admin.listen", file.admin.as_ref().map(|it| it.listen)),
    ];
    for (name, _) in others.iter().filter(|(_, it)| it.is_some_and(same)) {
        judge.refuse(
            &format!("{TABLE}.listen"),
            format!("{TABLE}.listen is the address of {name}"),
            "Give it a port of its own, as listen = \"0.0.0.0:8444\": browsers would be asked for a certificate too.",
        );
    }
    let names = wanted.names.as_deref();
    if names.is_some_and(|names| names.is_empty() || names.iter().any(String::is_empty)) {
        judge.refuse(
            &format!("{TABLE}.names"),
            "an empty list of names, or an empty name: nobody has it",
            "List the names of your clients' certificates, or drop `names` to take all that `ca` has issued.",
        );
    }
    if names.is_some_and(|names| names.iter().any(|name| name.contains('*'))) {
        judge.refuse(
            &format!("{TABLE}.names"),
            "a name with a wildcard: names are compared in full, so that nobody has it",
            "List each client's name, or drop `names` to take all that `ca` has issued.",
        );
    }
    if let Err(faults) = clients::verifier(wanted, judge.trial.folder) {
        for fault in faults {
            let place = format!("{TABLE}.{}", fault.key);
            judge.refuse(&place, fault.message, fault.remedy);
        }
    }
}

/// Without the listener nobody could enter them.
fn routes(judge: &mut Judge<'_>) {
    for (index, route) in judge.file.route.iter().enumerate() {
        if route.require.client_certificate {
            judge.refuse(
                &format!("route.{index}.require.client_certificate"),
                format!(
                    "the route {:?} requires a client certificate, but no listener asks for one",
                    route.path
                ),
                "Add [server.client_certificates] with listen = \"0.0.0.0:8444\" and ca = \"clients-ca.pem\".",
            );
        }
    }
}
