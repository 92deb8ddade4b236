"""What steps and commands need of Azure's SDKs, once: who is signed in, clients, and how long Azure is waited for."""
