"""Lists that the normalisers read: country names, header words, disposable mail domains. Data only."""
