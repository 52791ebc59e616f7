"""What a guest has left on an ext4 disk: for the cases of other files, which would
bring their own along."""


def check_ext4(t, image):
    """Clean by its own word, and by a check that believes no word."""
    state = t.host('dumpe2fs', '-h', image)
    t.check('the file system is not clean', 'Filesystem state:         clean\n' in state, state)
    t.check('its journal has to be replayed', 'needs_recovery' not in state, state)
    t.host('e2fsck', '-f', '-n', image)
