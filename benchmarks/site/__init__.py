"""A Django site with one view for each way to hold tokens."""
