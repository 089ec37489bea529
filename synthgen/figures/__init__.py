"""What is drawn for people: sheets, histograms and charts."""
