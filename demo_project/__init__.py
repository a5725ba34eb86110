"""A small site that signs people in with a local Entra."""
