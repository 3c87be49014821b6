//! Which addresses the hub sends to: those of the public internet, and the ranges that its
//! configuration allows.
//!
//! | refused              | ranges                                                               |
//! |----------------------|----------------------------------------------------------------------|
//! | this host, this link | `0/8` `127/8` `169.254/16` · `::` `::1` `fe80::/10` `fec0::/10`      |
//! | private              | `10/8` `172.16/12` `192.168/16` `100.64/10` · `fc00::/7`             |
//! | special protocols    | `192.0.0/24` `192.88.99/24` `198.18/15` · `100::/64` `2001::/23`     |
//! | documentation        | `192.0.2/24` `198.51.100/24` `203.0.113/24` · `2001:db8::/32` `3fff::/20` |
//! | multicast, reserved  | `224/4` `240/4` · `ff00::/8` and all else outside of `2000::/3`      |
//!
//! An IPv4 address inside an IPv6 one (mapped, 6to4 `2002::/16`, NAT64 `64:ff9b::/96`) is judged as
//! what it reaches. Teredo is within `2001::/23`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The ranges that are allowed beside the public internet. Plain HTTP reaches only these.
#[derive(Debug, Clone, Default)]
pub struct Reach(Vec<IpNet>);

const V4_REFUSED: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

impl Reach {
    pub fn allowing(ranges: Vec<IpNet>) -> Reach {
        Reach(ranges)
    }

    /// The machine itself.
    pub fn this_machine() -> Reach {
        Reach(vec![
            IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
            IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128),
        ])
    }

    /// Whether anything is allowed beside the public internet.
    pub fn is_wider(&self) -> bool {
        !self.0.is_empty()
    }

    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address.to_canonical()) || self.allows(address)
    }

    /// Whether the configuration names the address.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !V4_REFUSED
            .iter()
            .any(|(start, length)| shares(address, *start, *length)),
        IpAddr::V6(address) => match reached_through(address) {
            Some(inner) => is_public(IpAddr::V4(inner)),
            None => is_public_v6(address.segments()),
        },
    }
}

fn shares(address: Ipv4Addr, start: Ipv4Addr, length: u8) -> bool {
    (u32::from(address) ^ u32::from(start)) >> (32 - length) == 0
}

/// The IPv4 address that packets to this IPv6 address end up at.
fn reached_through(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

fn is_public_v6(segments: [u16; 8]) -> bool {
    let is_global = segments[0] & 0xe000 == 0x2000;
    let is_special = match segments {
        [0x2001, second, ..] => second < 0x200 || second == 0xdb8,
        [0x3fff, second, ..] => second < 0x1000,
        _ => false,
    };
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(reach: &Reach, text: &str) -> bool {
        reach.admits(text.parse().expect(text))
    }

    #[test]
    fn only_the_public_internet_is_reached() {
        let reach = Reach::default();
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(admits(&reach, text), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!admits(&reach, text), "{text}");
        }
    }

    #[test]
    fn what_is_allowed_is_reached_and_nothing_beside_it() {
        let reach = Reach::allowing(vec!["127.0.0.1/32".parse().expect("a range")]);
        assert!(admits(&reach, "127.0.0.1") && admits(&reach, "::ffff:127.0.0.1"));
        assert!(!admits(&reach, "127.0.0.2") && !admits(&reach, "::1"));
        assert!(!reach.allows("8.8.8.8".parse().expect("an address")));
        let reach = Reach::this_machine();
        assert!(admits(&reach, "127.0.0.2") && admits(&reach, "::1"));
        assert!(!admits(&reach, "10.0.0.1") && !admits(&reach, "::2"));
    }
}
