//! How the program speaks with hubs beside it: over plain HTTP, so that nothing on the machine has
//! to be trusted, not even that it has certificates.

use reqwest::{Client, ClientBuilder};

/// What a client of a hub is made of.
pub fn builder() -> ClientBuilder {
    Client::builder().tls_certs_only([])
}
