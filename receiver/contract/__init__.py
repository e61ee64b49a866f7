"""The contract, published: catalogue, AsyncAPI, OpenAPI and page, all made from the code."""
