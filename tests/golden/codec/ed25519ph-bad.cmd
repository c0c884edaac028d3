ed25519ph verify
