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
        "codec.c",
        "codec-merkle.c",
        "codec-open.c",
        "codec-primitives.c",
        "codec-rebuild.c",
        "codec-seal.c",
        "util/aes.c",
        "util/aes-ni.c",
        "util/aes-sbox.c",
        "util/args.c",
        "util/cpu.c",
        "util/gf.c",
        "util/gf-avx2.c",
        "util/gf-gfni256.c",
        "util/gf-gfni512.c",
        "util/job.c",
        "util/matrix.c",
        "util/merkle.c",
        "util/path.c",
        "util/secret.c",
        "util/sha256.c",
        "util/sha256-ni.c",
        "util/slab.c",
        "util/stripe.c"
      ]
    },
    {
      "target_name": "memory",
      "sources": ["memory.c"]
    },
    {
      "target_name": "notify",
      "sources": ["notify.c"]
    },
    {
      "target_name": "door",
      "conditions": [
        ["OS=='linux'", {"sources": ["door.c", "door-mount.c", "door-session.c"]}, {"type": "none"}]
      ]
    }
  ]
}
