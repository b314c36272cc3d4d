//! Where the server stands in a network: behind balancers that pass TLS through or end it, beside a port that redirects,
//! and started by a service manager.

mod balancers;
mod client_certificates;
mod ended_tls;
mod proxy_protocol;
mod redirect;
mod service;
