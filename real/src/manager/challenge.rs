//! How a server and a client prove to each other that they have the same key, without sending it.
//!
//! Each proof covers the random bytes of both, so that none can be used twice, and says whose it
//! is, so that neither can be sent back as the other's. What follows the handshake is neither
//! encrypted nor authenticated, as in CPython: over TCP the network in between is trusted.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::protocol::{ClientId, SECRET};

/// What both must have. It is printed nowhere.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key(..)")
    }
}

impl Key {
    /// A key of these bytes, of any number; 32 random ones are enough.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// What a client proves itself with.
    pub fn client_proof(&self, handshake: &Handshake) -> [u8; SECRET] {
        self.of(b"midput manager 1, client", handshake, 0).finalize().into_bytes().into()
    }

    /// What the server proves itself with.
    pub fn server_proof(&self, handshake: &Handshake, largest_item: u32) -> [u8; SECRET] {
        let mac = self.of(b"midput manager 1, server", handshake, largest_item);
        mac.finalize().into_bytes().into()
    }

    /// Whether a client's proof is right. It takes as long for one that is nearly right.
    pub fn is_client(&self, handshake: &Handshake, proof: &[u8; SECRET]) -> bool {
        self.of(b"midput manager 1, client", handshake, 0).verify_slice(proof).is_ok()
    }

    /// Whether a server's proof is right.
    pub fn is_server(
        &self,
        handshake: &Handshake,
        largest_item: u32,
        proof: &[u8; SECRET],
    ) -> bool {
        let mac = self.of(b"midput manager 1, server", handshake, largest_item);
        mac.verify_slice(proof).is_ok()
    }

    fn of(&self, whose: &[u8], handshake: &Handshake, largest_item: u32) -> Hmac<Sha256> {
        // A key of any length is one.
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0);
        let mut mac = mac.expect("HMAC takes keys of every length");
        mac.update(whose);
        mac.update(&handshake.server_nonce);
        mac.update(&handshake.client_nonce);
        mac.update(&handshake.client.0.to_le_bytes());
        mac.update(&largest_item.to_le_bytes());
        mac
    }
}

/// What both know of a handshake.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    /// The random bytes of the server.
    pub server_nonce: [u8; SECRET],
    /// The random bytes of the client.
    pub client_nonce: [u8; SECRET],
    /// Who the client is.
    pub client: ClientId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake() -> Handshake {
        Handshake { server_nonce: [1; SECRET], client_nonce: [2; SECRET], client: ClientId(3) }
    }

    #[test]
    fn a_proof_is_of_one_key_one_side_and_one_handshake() {
        let (key, other) = (Key::new(b"key".as_slice()), Key::new(b"yek".as_slice()));
        let (client, server) = (key.client_proof(&handshake()), key.server_proof(&handshake(), 9));
        assert!(key.is_client(&handshake(), &client) && key.is_server(&handshake(), 9, &server));
        assert!(!other.is_client(&handshake(), &client));
        assert!(!other.is_server(&handshake(), 9, &server));
        // Neither can be sent back as the other's, nor for another handshake, nor another limit.
        assert!(!key.is_client(&handshake(), &server) && !key.is_server(&handshake(), 9, &client));
        assert!(!key.is_server(&handshake(), 10, &server));
        let changes: [fn(&mut Handshake); 3] =
            [|it| it.server_nonce[0] ^= 1, |it| it.client_nonce[31] ^= 1, |it| it.client.0 ^= 1];
        for change in changes {
            let mut changed = handshake();
            change(&mut changed);
            assert!(!key.is_client(&changed, &client) && !key.is_server(&changed, 9, &server));
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", Key::new(b"secret".as_slice())), "Key(..)");
    }
}
