"""RealNet (Zhang et al., CVPR 2024): selected features are reconstructed, selected residuals are judged.

Differs from the published code, in all architectures, in that a batch holds the good products that its
samples were made of, in place of others; that features are resized between their centres; that weights begin
as He's; that residuals are ranked by statistics of many batches; that maps are smoothed; and that the
networks of the last step are kept, not those that were best on the test images. As there, nothing can be
selected of stage 1 in A and C, because all of its channels are kept, and images are square.
"""
