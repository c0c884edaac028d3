ed25519ph key
