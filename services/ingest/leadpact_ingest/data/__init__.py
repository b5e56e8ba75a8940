"""Lists that the normalisers read: header words, disposable mail domains. Data only."""
