//! Clients that do not prove who they are, counted where they come from.
//!
//! | counted                | a minute |
//! |------------------------|---------:|
//! | an address and a client |      20 |
//! | an address              |     300 |
//!
//! A secret has 256 bits and is not guessed; this is for programs that go on and on with a wrong one. Behind
//! a proxy that the hub does not know all have one address, so one client's mistakes leave the others alone for
//! long.

use super::attempts::Attempts;
use crate::clock::Timestamp;

const OF_CLIENT: usize = 20;
const OF_ADDRESS: usize = 300;

/// What failed within a minute.
pub struct Failures {
    by_client: Attempts,
    by_address: Attempts,
}

/// Who says to be a client, and from where.
pub struct Stranger {
    address: String,
    client: String,
}

impl Stranger {
    pub fn new(address: &str, client: &str) -> Stranger {
        // What is no client id at all is remembered shortened.
        let client: String = client.chars().take(64).collect();
        Stranger {
            address: address.to_owned(),
            client: format!("{address} {client}"),
        }
    }
}

impl Default for Failures {
    fn default() -> Self {
        Failures {
            by_client: Attempts::of(OF_CLIENT),
            by_address: Attempts::of(OF_ADDRESS),
        }
    }
}

impl Failures {
    /// Whether the stranger may try, or how many seconds it has to wait.
    pub fn check(&self, stranger: &Stranger, now: Timestamp) -> Result<(), u64> {
        self.by_client.check(&stranger.client, now)?;
        self.by_address.check(&stranger.address, now)
    }

    /// The stranger tried in vain.
    pub fn count(&self, stranger: &Stranger, now: Timestamp) {
        // Several that were let in at once may go over.
        let _ = self.by_client.count(&stranger.client, now);
        let _ = self.by_address.count(&stranger.address, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn one_clients_mistakes_leave_others_and_other_addresses_alone() {
        let (failures, now) = (Failures::default(), clock::machine_now());
        let wrong = Stranger::new("192.0.2.1", "a");
        for _ in 0..OF_CLIENT {
            assert_eq!(failures.check(&wrong, now), Ok(()));
            failures.count(&wrong, now);
        }
        assert_eq!(failures.check(&wrong, now), Err(61));
        assert_eq!(
            failures.check(&Stranger::new("192.0.2.1", "b"), now),
            Ok(())
        );
        assert_eq!(
            failures.check(&Stranger::new("192.0.2.2", "a"), now),
            Ok(())
        );

        for client in 0..OF_ADDRESS {
            failures.count(&Stranger::new("192.0.2.1", &client.to_string()), now);
        }
        assert!(
            failures
                .check(&Stranger::new("192.0.2.1", "b"), now)
                .is_err()
        );
    }
}
