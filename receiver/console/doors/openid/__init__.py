"""The door of `console.auth = "oidc"`: an OpenID provider says who somebody is."""
