window.version = "@VERSION@";
