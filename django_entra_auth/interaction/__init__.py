"""The conversation between a person, this site and Entra."""
