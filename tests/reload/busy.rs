//! Reloads under sockets that are in use.
