"""A page for the person who asks why an agent said something, and how to correct it: `agentmem inspect`."""
