//! Which addresses we may connect to. Every address this crate connects to passes [`AddressPolicy::check`] after it was
//! resolved and before the connection is made, redirects included.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A block of addresses: `10.0.0.0/8`, `fc00::/7`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix_bits: u8,
}

/// The text is no address block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address block such as 127.0.0.0/8 or ::1/128")]
pub struct CidrError(String);

/// A destination that the policy does not let us connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connecting to {0} is denied by the address policy")]
pub struct Denied(pub IpAddr);

/// What may be connected to: every public address, and the blocks in `allow`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Blocks that may be connected to although they are not public.
    pub allow: Vec<Cidr>,
}

impl Cidr {
    /// Whether `address` lies in this block.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix_bits.min(32));
                shift == 32 || u32::from(block) >> shift == u32::from(address) >> shift
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix_bits.min(128));
                shift == 128 || u128::from(block) >> shift == u128::from(address) >> shift
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || CidrError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) => prefix.trim().parse().map_err(|_| wrong())?,
            None => widest,
        };
        if prefix_bits > widest {
            return Err(wrong());
        }
        Ok(Self { address, prefix_bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix_bits)
    }
}

impl AddressPolicy {
    /// The policy that allows public addresses and the given blocks.
    pub fn new(allow: Vec<Cidr>) -> Self {
        Self { allow }
    }

    /// Nothing if we may connect to `address`.
    pub fn check(&self, address: IpAddr) -> Result<(), Denied> {
        let meant = meant_address(address);
        let allowed =
            |address| self.allow.iter().any(|block| block.contains(address)) || is_public(address);
        // A translated address is judged by where the packet ends, unless the operator opened exactly the outer form.
        if allowed(meant) || self.allow.iter().any(|block| block.contains(address)) {
            Ok(())
        } else {
            Err(Denied(address))
        }
    }
}

/// The IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), else the address itself.
fn meant_address(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let bits = u128::from(v6);
    let [a, b, c, d, ..] = v6.segments();
    if a == 0x2002 {
        return IpAddr::V4(Ipv4Addr::from((u32::from(b) << 16) | u32::from(c)));
    }
    if (a, b, c, d) == (0x64, 0xff9b, 0, 0) && (bits >> 32) & 0xffff_ffff == 0 {
        let low = u32::try_from(bits & 0xffff_ffff).unwrap_or_default();
        return IpAddr::V4(Ipv4Addr::from(low));
    }
    address
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Everything outside the IANA special-purpose blocks.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// Global unicast (2000::/3) without the blocks in it that lead nowhere or elsewhere.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    let special = match a {
        0x2001 => b < 0x200 || b == 0xdb8,
        0x2002 => true,
        0x3fff => b < 0x1000,
        _ => false,
    };
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_that_are_not_public_are_denied_by_default() {
        let policy = AddressPolicy::default();
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.7",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.3",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert_eq!(policy.check(ip(address)), Err(Denied(ip(address))), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        let policy = AddressPolicy::default();
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert_eq!(policy.check(ip(address)), Ok(()), "{address}");
        }
    }

    #[test]
    fn an_opened_block_is_allowed_and_its_neighbours_are_not() {
        let policy = AddressPolicy::new(vec![
            "127.0.0.0/8".parse().unwrap(),
            "::1".parse().unwrap(),
            "10.1.0.0/16".parse().unwrap(),
        ]);
        for address in ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "::1", "10.1.255.1"] {
            assert_eq!(policy.check(ip(address)), Ok(()), "{address}");
        }
        for address in ["10.2.0.1", "::2", "192.168.0.1", "169.254.169.254"] {
            assert!(policy.check(ip(address)).is_err(), "{address}");
        }
    }

    #[test]
    fn address_blocks_are_read_and_nonsense_is_refused() {
        for text in ["0.0.0.0/0", "127.0.0.0/8", "::1/128", "fc00::/7"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
        for text in
            ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "1.2.3.4/-1"]
        {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains(ip("1.2.3.4")));
        assert!(!"0.0.0.0/0".parse::<Cidr>().unwrap().contains(ip("::1")));
    }
}
