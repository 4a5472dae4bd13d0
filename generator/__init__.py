"""Turn the family specs into the registration, the loaders' data and the model pages."""
