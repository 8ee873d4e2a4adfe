"""A local stand-in of the X API over a made-up city whose true shares are known."""
