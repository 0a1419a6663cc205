"""How the in-memory server answers: requests, what it stores, and the functions of the API. Private to the server."""
