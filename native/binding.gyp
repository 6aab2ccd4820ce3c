{
  "target_defaults": {
    "defines": ["NAPI_VERSION=8"],
    "cflags": ["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
    "xcode_settings": {
      "GCC_C_LANGUAGE_STANDARD": "c11",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "WARNING_CFLAGS": ["-Wall", "-Wextra"],
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES"
    }
  },
  "targets": [
    {
      "target_name": "codec",
      "sources": [
        "codec.c"
      ]
    },
    {
      "target_name": "door",
      "conditions": [
        ["OS=='linux'", {"sources": ["door.c", "door-mount.c", "door-session.c"]}, {"type": "none"}]
      ]
    }
  ]
}
