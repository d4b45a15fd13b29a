"""The fault campaign: a run is hurt in every way at every moment, and every word the tool says of it must be true."""
