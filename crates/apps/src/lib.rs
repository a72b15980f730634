//! L3: what is known about each application: Django, generic; pure.
