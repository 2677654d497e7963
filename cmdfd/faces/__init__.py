"""Face tracks, crops and the backends that find them."""
