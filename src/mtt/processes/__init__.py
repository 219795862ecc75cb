"""Several processes of one training: who they are, how they meet, and how they end."""
