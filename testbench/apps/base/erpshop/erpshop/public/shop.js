window.shop = "@VERSION@";
