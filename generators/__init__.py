"""Makes labelled clips out of pristine ones."""
