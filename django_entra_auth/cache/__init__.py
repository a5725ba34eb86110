"""What all workers share, in the Django cache, sealed."""
