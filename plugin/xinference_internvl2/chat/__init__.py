"""A chat request made into a prompt and sampling parameters, and tokens into its response."""
