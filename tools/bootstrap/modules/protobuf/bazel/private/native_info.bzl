"""A file of its own, because a file cannot both use the built-in name and define it."""

NATIVE_PROTO_INFO = ProtoInfo  # buildifier: disable=native-proto-info
