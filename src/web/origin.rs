//! Where a request comes from, as far as that is known and kept.
//!
//! The address of a client is the one that connected; behind proxies that the hub's configuration names, it
//! is what these say in `X-Forwarded-For`: read from the right, the first that no such proxy has. What
//! anybody else puts there is not believed.
//!
//! Kept is the network, and not the address, which can be a person's: 24 bits of IPv4, 48 of IPv6.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::web::Data;
use ipnet::IpNet;

const HEADER: &str = "x-forwarded-for";

/// Where what is written down was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// By the hub itself.
    Hub,
    /// At the command line of the hub's machine.
    Console,
    /// Over a connection without an address.
    Unknown,
    /// From a network.
    Network(IpNet),
}

impl Origin {
    pub fn of(client: Option<IpAddr>) -> Origin {
        let network = |address: IpAddr| {
            let length = if address.is_ipv4() { 24 } else { 48 };
            IpNet::new(address, length).map(|net| net.trunc())
        };
        match client.map(network) {
            Some(Ok(network)) => Origin::Network(network),
            _ => Origin::Unknown,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Hub => f.write_str("hub"),
            Origin::Console => f.write_str("console"),
            Origin::Unknown => f.write_str("unknown"),
            Origin::Network(network) => network.fmt(f),
        }
    }
}

/// The proxies in front of the hub, by their networks.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    pub fn within(networks: Vec<IpNet>) -> Proxies {
        Proxies(networks)
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of the client, of a connection's and what is said to be behind it, the nearest last.
    fn client<'a>(&self, peer: IpAddr, behind: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let mut client = peer.to_canonical();
        for said in behind.rev() {
            let Some(next) = read(said).filter(|_| self.has(client)) else {
                break;
            };
            client = next;
        }
        client
    }
}

/// An address, which some proxies write with a port.
fn read(said: &str) -> Option<IpAddr> {
    let said = said.trim();
    let bare = said.parse().ok();
    let address = bare.or_else(|| said.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// The address of the client, if its connection has one.
pub fn client(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let Some(proxies) = request.app_data::<Data<Proxies>>() else {
        return Some(peer.to_canonical());
    };
    let headers = request.headers().get_all(HEADER);
    let said: Vec<&str> = headers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    Some(proxies.client(peer, said.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, said: &str) -> String {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let proxies = Proxies::within(networks.to_vec());
        let said = said.split(',').filter(|it| !it.is_empty());
        proxies.client(peer.parse().unwrap(), said).to_string()
    }

    #[test]
    fn only_what_the_own_proxies_say_is_believed() {
        for (peer, said, client) in [
            ("203.0.113.9", "", "203.0.113.9"),
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.1.1.1", "", "10.1.1.1"),
            ("10.1.1.1", "198.51.100.1", "198.51.100.1"),
            ("10.1.1.1", "192.0.2.1, 198.51.100.1", "198.51.100.1"),
            (
                "10.1.1.1",
                "192.0.2.1, 198.51.100.1, 10.2.2.2",
                "198.51.100.1",
            ),
            ("10.1.1.1", "198.51.100.1:4711", "198.51.100.1"),
            ("::ffff:10.1.1.1", "[2001:db8::7]:443", "2001:db8::7"),
            ("fd00::1", "::ffff:198.51.100.1", "198.51.100.1"),
            ("10.1.1.1", "198.51.100.1, unknown", "10.1.1.1"),
            ("10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ] {
            assert_eq!(seen(peer, said), client, "{peer} {said}");
        }
    }

    #[test]
    fn a_network_is_kept_and_no_address() {
        for (address, kept) in [
            ("203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            let origin = Origin::of(address.parse().ok());
            assert_eq!(origin.to_string(), kept);
        }
        assert_eq!(Origin::of(None).to_string(), "unknown");
    }
}
